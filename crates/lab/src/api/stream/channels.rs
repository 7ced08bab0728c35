//! Messages of a session, there and back.

use bytes::Bytes;
use futures::{Sink, SinkExt, Stream, StreamExt};
use serde_json::{Value, json};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio_tungstenite::tungstenite::{Error, Message};

use crate::runtime::Input;

/// What goes to the client. Clones write to the same socket.
#[derive(Debug, Clone)]
pub struct Outgoing(mpsc::Sender<Message>);

// === impl Outgoing ===

impl Outgoing {
    /// Writes to a socket until every clone is gone, then closes it.
    pub fn over(
        mut sink: impl Sink<Message, Error = Error> + Send + Unpin + 'static,
    ) -> (Self, JoinHandle<()>) {
        let (sender, mut messages) = mpsc::channel::<Message>(16);
        let task = tokio::spawn(async move {
            while let Some(message) = messages.recv().await {
                if sink.send(message).await.is_err() {
                    return;
                }
            }
            let _ = sink.send(Message::Close(Some(normal()))).await;
            let _ = sink.close().await;
        });
        (Self(sender), task)
    }

    /// Sends on a channel; whether the client is still there.
    pub async fn send(&self, channel: u8, bytes: &[u8]) -> bool {
        let framed: Bytes = [&[channel], bytes].concat().into();
        self.0.send(Message::Binary(framed)).await.is_ok()
    }
}

fn normal() -> tokio_tungstenite::tungstenite::protocol::CloseFrame {
    tokio_tungstenite::tungstenite::protocol::CloseFrame {
        code: tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode::Normal,
        reason: "".into(),
    }
}

/// The next input of the client, or `None` when it is gone.
pub async fn next_input(
    source: &mut (impl Stream<Item = Result<Message, Error>> + Unpin),
) -> Option<Input> {
    loop {
        let message = match source.next().await? {
            Ok(Message::Binary(bytes)) => bytes.to_vec(),
            Ok(Message::Text(text)) => text.as_bytes().to_vec(),
            Ok(Message::Close(_)) | Err(_) => return None,
            Ok(_) => continue,
        };
        match message.split_first() {
            Some((0, bytes)) if !bytes.is_empty() => return Some(Input::Bytes(bytes.to_vec())),
            Some((4, size)) => {
                if let Some((columns, rows)) = terminal_size(size) {
                    return Some(Input::Size(columns, rows));
                }
            }
            // v5: the client will send no more on a channel.
            Some((255, [0])) => return Some(Input::End),
            _ => {}
        }
    }
}

fn terminal_size(bytes: &[u8]) -> Option<(u16, u16)> {
    let size: Value = serde_json::from_slice(bytes).ok()?;
    let side = |name: &str| size[name].as_u64()?.try_into().ok();
    Some((side("Width")?, side("Height")?))
}

/// How a command ended, as the last message says it.
pub fn exit_status(code: i32) -> Value {
    if code == 0 {
        return json!({"metadata": {}, "status": "Success"});
    }
    json!({"metadata": {}, "status": "Failure", "reason": "NonZeroExitCode",
        "message": format!("command terminated with non-zero exit code: command terminated with exit code {code}"),
        "details": {"causes": [{"reason": "ExitCode", "message": code.to_string()}]}})
}

/// That there was no command to end.
pub fn failure(why: &str) -> Value {
    json!({"metadata": {}, "status": "Failure", "reason": "InternalError", "code": 500,
        "message": format!("Internal error occurred: {why}"), "details": {"causes": [{"message": why}]}})
}
