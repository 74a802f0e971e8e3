//! Commands from the bus, and a handler that remembers them.

use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use muster_bus::{AddressedCommand, Bus, ControlCommand};
use uuid::Uuid;

use crate::dispatch::tests::eventually;
use crate::notify::control_commands::{HandleCommand, handle_commands};

const US: Uuid = Uuid::from_u128(1);
const OTHERS: Uuid = Uuid::from_u128(2);

/// Refuses every command once it has noted it.
#[derive(Debug, Default)]
struct NotesCommands(Mutex<Vec<ControlCommand>>);

#[async_trait]
impl HandleCommand for NotesCommands {
    fn supervisor_id(&self) -> Uuid {
        US
    }

    async fn handle_command(&self, command: ControlCommand) -> Result<(), String> {
        self.0.lock().unwrap().push(command);
        Err("not today".to_owned())
    }
}

#[tokio::test]
async fn commands_for_all_and_for_us_are_carried_out_and_others_are_not() {
    let bus = Bus::in_process("test");
    let handler = Arc::new(NotesCommands::default());
    let handling = tokio::spawn(handle_commands(Arc::downgrade(&handler), bus.clone()));
    let command =
        |execution: u128| ControlCommand::Cancel { execution_id: Uuid::from_u128(execution), reason: None };
    let send = async |supervisor, execution| {
        bus.send_command(&AddressedCommand { supervisor, command: command(execution) }).await.unwrap();
    };
    // Whatever is sent before it listens is lost, so the first is sent until it is heard.
    eventually("it listens", async || {
        send(None, 1).await;
        !handler.0.lock().unwrap().is_empty()
    })
    .await;
    send(Some(OTHERS), 2).await;
    send(Some(US), 3).await;
    eventually("it goes on after one it could not carry out", async || {
        handler.0.lock().unwrap().last() == Some(&command(3))
    })
    .await;
    assert!(!handler.0.lock().unwrap().contains(&command(2)));
    drop(handler);
    send(None, 4).await;
    handling.await.unwrap();
}
