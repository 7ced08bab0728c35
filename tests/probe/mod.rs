//! Probing without a cluster: what is asked, round by round. What is made of the answers is data: `scenarios/probe`.

mod rounds;
mod shop;
