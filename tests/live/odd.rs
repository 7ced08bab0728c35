//! A server whose answers are not what was asked for: nothing panics, and nothing is taken for an answer.

use super::ask;
use super::stub::{Manner, Stub};
use super::world::shop;

const ODD: [&str; 9] = [
    "[]",
    "\"text\"",
    r#"{"kind":"List","items":[1,"a",[]]}"#,
    "7",
    "null",
    r#"{"kind":"L","items":{"a":1}}"#,
    "true",
    "{}",
    r#"{"kind":"Status","status":"Failure","code":200}"#,
];

/// What cannot be read could change the answer: it is not known.
#[test]
fn policies_that_are_no_list_leave_the_answer_open() {
    for odd in ODD {
        let stub = Stub::that(shop(), move |asked| match asked.what.as_str() {
            "networkpolicies.networking.k8s.io" => Manner::Other(odd),
            _ => Manner::Plain,
        });
        let words = ["client-1", "svc/api", "-n", "shop", "--no-probe"];
        let said = ask(&stub.url, &words);
        assert_eq!(said.code, 3, "{odd}: {}{}", said.stdout, said.stderr);
        assert!(
            said.stdout.contains("not read: networkpolicies"),
            "{odd}: {}",
            said.stdout
        );
    }
}

#[test]
fn a_server_that_answers_nothing_sensible_is_told_of() {
    for odd in ODD {
        let stub = Stub::that(shop(), move |_| Manner::Other(odd));
        for words in [
            &["client-1", "svc/api", "-n", "shop", "--no-probe"][..],
            &["matrix", "-A"],
            &["cleanup", "--dry-run"],
        ] {
            let said = ask(&stub.url, words);
            // No signal, no panic (101), and something to read.
            assert!(
                (0..=3).contains(&said.code),
                "{odd} {words:?}: {}",
                said.stderr
            );
            assert!(
                !said.stderr.contains("panicked"),
                "{odd} {words:?}: {}",
                said.stderr
            );
        }
    }
}

#[test]
fn an_answer_without_end_is_not_read_to_its_end() {
    let stub = Stub::that(shop(), |asked| match asked.what.as_str() {
        "networkpolicies.networking.k8s.io" => Manner::Flood,
        _ => Manner::Plain,
    });
    let words = ["client-1", "svc/api", "-n", "shop", "--no-probe"];
    let said = ask(&stub.url, &words);
    assert_eq!(said.code, 3, "{}{}", said.stdout, said.stderr);
    assert!(
        said.stdout.contains("the answer is larger than"),
        "{}",
        said.stdout
    );
}
