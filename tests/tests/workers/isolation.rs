//! Two executions, one after the other, in one warm Python worker under a real supervisor: they do not meet.

use muster_tests::Installation;
use muster_tests::binaries::repository;
use serde_json::json;

/// What the first one leaves in a loop of the module is no thread of its own, so that the worker stays.
const LEFT: &str = "
import asyncio, os, threading
from muster_worker import context, workflow

loop = asyncio.new_event_loop()
threading.Thread(target=loop.run_forever, daemon=True).start()
met, done, late = threading.Event(), threading.Event(), {}

def tried(call):
    try:
        return call()
    except Exception as error:
        return getattr(error, 'kind', type(error).__name__)

async def linger():
    while not met.is_set():
        await asyncio.sleep(0.01)
    late['id'] = context.execution_id
    late['state'] = tried(lambda: context.state.set('stolen', True))
    late['child'] = tried(lambda: context.submit('leave'))
    done.set()

@workflow
def leave():
    asyncio.run_coroutine_threadsafe(linger(), loop)
    os.environ['LEAK'] = 'secret'
    os.chdir('/')
    return [os.getpid(), context.execution_id]

@workflow
def meet():
    met.set()
    done.wait(10)
    return [os.getpid(), late, context.state.get('stolen'), 'LEAK' in os.environ, os.getcwd()]
";

/// Has the name of a module that the other one imports.
const OF_THAT_NAME: &str = "
from muster_worker import workflow

@workflow
def own():
    return __name__
";

#[test]
fn two_runs_in_one_worker_do_not_meet() {
    let path = format!("PYTHONPATH={}", repository("worker/python").display());
    let installation = Installation::new()
        .worker(["python3", "-m", "muster_worker"])
        .setting("worker_env", path)
        .setting("min_workers", 1)
        .setting("max_workers", 1)
        .workflow("left.py", LEFT)
        .workflow("asyncio.py", OF_THAT_NAME);
    let lines = ["leave", "meet", "own"].map(|workflow| json!({ "workflow": workflow }));
    let run = installation.batch(&lines, &["--keep-going"]);

    let [left, met, own] = run.results.as_slice() else { panic!("{}\n{:?}", run.stderr, run.results) };
    let (process, execution) = (&left["result"][0], &left["result"][1]);
    assert_eq!(&met["result"][0], process, "they are in one process: {}", run.stderr);
    assert_eq!(met["result"][1], json!({ "id": execution, "state": "Closed", "child": "Closed" }));
    assert_eq!(met["result"][2], json!(null), "{met}");
    assert_eq!(met["result"][3], json!(false), "{met}");
    assert_ne!(met["result"][4], json!("/"), "{met}");
    assert_eq!(own["result"], json!("muster_workflows.asyncio"));
}
