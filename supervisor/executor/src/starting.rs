//! The task of one worker: its process is started, read until it ends and reaped, or there is none and why.

use std::io;
use std::rc::Rc;
use std::sync::Arc;

use muster_core::pool::WorkerEvent;
use muster_protocol::TEMPLATE_FD_ENV;
use muster_system::process::SpawnedChild;
use rustix::io::Errno;

use super::executor_loop::ExecutorLoop;
use super::link::WorkerLink;
use super::reader::adopt;
use super::template::TemplateLink;

/// Starts the process and stays with it to its end.
pub(super) async fn run_worker(engine: Rc<ExecutorLoop>, link: Rc<WorkerLink>, offers_template: bool) {
    let spec = Arc::clone(&link.spec);
    match start(&engine, &link, offers_template).await.and_then(|child| adopt(&engine, &link, child)) {
        Ok((reader, stdout, watch)) => {
            engine.worker(link.id, WorkerEvent::Spawned { pid: link.process_id().unwrap_or_default() });
            reader.read_to_the_end(stdout, watch, None).await;
        }
        Err(error) => {
            let program = spec.launch.program.display();
            let message = format!("cannot start {program}: {error}; {}", fix_for(&error));
            engine.worker(link.id, WorkerEvent::SpawnFailed { message });
        }
    }
    engine.state.borrow_mut().links.remove(&link.id);
}

async fn start(engine: &ExecutorLoop, link: &WorkerLink, offers_template: bool) -> io::Result<SpawnedChild> {
    let launch = Arc::clone(&link.spec.launch);
    if !offers_template {
        return engine.spawner.spawn(launch).await;
    }
    let (child, channel) = engine.spawner.spawn_with_channel(launch, TEMPLATE_FD_ENV).await?;
    link.template.replace(Some(TemplateLink::new(channel)));
    Ok(child)
}

/// What to do about a process that cannot be started.
fn fix_for(error: &io::Error) -> &'static str {
    match Errno::from_io_error(error) {
        Some(Errno::MFILE | Errno::NFILE) => "raise `ulimit -n` or lower max_workers",
        Some(Errno::AGAIN | Errno::NOMEM) => "raise the limits on processes and memory, or lower max_workers",
        _ => "check worker_command",
    }
}
