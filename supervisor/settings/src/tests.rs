//! What a person sees: the values that result, and the words of every error.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use muster_system::confinement::ConfinementLevel;
use secrecy::ExposeSecret;

use super::{
    KEYS, LogFormat, Origin, Raw, Settings, Sources, TranscriptPolicy, WorkerUserSetting, WorkerVariable,
};
use crate::access::make_token;

fn environment(variables: &[(&str, &str)]) -> Sources {
    let environment =
        variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    Sources { environment, ..Sources::default() }
}

/// Sources with this `muster.toml`, under a name that does not change from run to run.
fn file(text: &str) -> (tempfile::TempDir, Sources) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("muster.toml");
    std::fs::write(&path, text).unwrap();
    (folder, Sources { config: Some(path), ..Sources::default() })
}

fn problems(sources: &Sources) -> String {
    let text = Settings::load(sources).unwrap_err().to_string();
    match sources.config.as_ref().and_then(|path| path.parent()) {
        Some(folder) => text.replace(&folder.display().to_string(), "FOLDER"),
        None => text,
    }
}

#[test]
fn the_defaults_are_those_of_the_contract() {
    let settings = Settings::load(&Sources::default()).unwrap();
    assert_eq!((settings.min_workers, settings.max_workers, settings.max_attempts), (2, 10, 3));
    assert_eq!(settings.execution_timeout, Duration::from_secs(300));
    assert_eq!(settings.graceful_shutdown, Duration::from_secs(5));
    assert_eq!((settings.recycle_after_executions, settings.recycle_after), (None, None));
    assert_eq!(settings.max_worker_memory_mb, None);
    assert_eq!(settings.worker_idle, Duration::from_secs(60));
    assert_eq!(settings.worker_start, Duration::from_secs(60));
    assert_eq!(settings.worker_load, Duration::from_secs(10));
    assert_eq!(settings.scale_up_wait, Duration::from_millis(20));
    assert_eq!(settings.drain, Duration::from_secs(300));
    assert_eq!(settings.lease, Duration::from_secs(30));
    assert_eq!((settings.queue.as_str(), settings.key_prefix.as_str()), ("workflow-executions", "muster"));
    assert_eq!(settings.http_bind, Some("127.0.0.1:7420".parse().unwrap()));
    assert_eq!((settings.log_level.as_str(), settings.log_format), ("info", LogFormat::Auto));
    assert!(settings.amqp_url.is_none() && settings.redis_url.is_none());
    assert!(matches!(settings.http_token, super::HttpToken::Made));
    let here = std::env::current_dir().unwrap();
    assert_eq!(settings.workflows_dir, here.join("workflows"));
    let database = format!("sqlite://{}/muster-data/muster.db", here.display());
    assert_eq!(settings.database_url.expose_secret(), database);
    assert!(settings.worker_command[0].starts_with('/') && settings.worker_command[0].ends_with("/worker"));
    assert!(settings.shown().iter().all(|shown| shown.origin == Origin::Default));
    assert_eq!((settings.transcripts, settings.transcripts_max_mb), (TranscriptPolicy::Failed, Some(64)));
    assert!(settings.tls_ca_file.is_none() && settings.tls_cert_file.is_none());
    assert_eq!(settings.confinement, ConfinementLevel::Scoped);
    assert_eq!((&settings.worker_user, settings.worker_ports.len()), (&WorkerUserSetting::Own, 0));
    assert_eq!(KEYS.len(), 56);
}

#[test]
fn a_list_of_queues_is_not_taken_for_one_queue() {
    let queues = |raw: Raw| {
        let mut sources = Sources::default();
        sources.flags.insert("queues", raw);
        Settings::load(&sources).map(|settings| settings.queues).map_err(|error| error.to_string())
    };
    assert_eq!(queues(Raw::Text("a b".to_owned())).unwrap(), ["a", "b"]);
    assert_eq!(queues(Raw::List(vec!["a".to_owned(), "b".to_owned()])).unwrap(), ["a", "b"]);
    for wrong in
        [Raw::List(vec!["a,b".to_owned()]), Raw::Text("a,b".to_owned()), Raw::Text(r#"["a","b"]"#.to_owned())]
    {
        let refused = queues(wrong).unwrap_err();
        assert!(refused.contains("must be names without commas and brackets"), "{refused}");
    }
}

#[test]
fn a_flag_beats_the_environment_beats_the_file_beats_the_default() {
    let (_folder, mut sources) =
        file("min_workers = 3\nmax_workers = 30\nqueue = \"from-file\"\ndrain_seconds = 0.5");
    sources.environment.insert("MUSTER_MAX_WORKERS".to_owned(), "40".to_owned());
    sources.environment.insert("MUSTER_QUEUE".to_owned(), "from-environment".to_owned());
    sources.flags.insert("queue", Raw::Text("from-flag".to_owned()));
    let settings = Settings::load(&sources).unwrap();
    assert_eq!((settings.min_workers, settings.max_workers), (3, 40));
    assert_eq!((settings.queue.as_str(), settings.drain), ("from-flag", Duration::from_millis(500)));
    let path = sources.config.unwrap();
    let origins: BTreeMap<&str, Origin> = settings.shown().into_iter().map(|s| (s.key, s.origin)).collect();
    assert_eq!(origins["min_workers"], Origin::File(path.clone()));
    assert_eq!(origins["max_workers"], Origin::Environment("MUSTER_MAX_WORKERS".to_owned()));
    assert_eq!(origins["queue"], Origin::Flag("--queue".to_owned()));
    assert_eq!(origins["key_prefix"], Origin::Default);
    assert_eq!(settings.files(), [path]);
}

#[test]
fn the_first_candidate_that_exists_is_the_file() {
    let (folder, named) = file("min_workers = 4");
    let candidates = vec![folder.path().join("absent.toml"), named.config.unwrap()];
    let settings = Settings::load(&Sources { candidates, ..Sources::default() }).unwrap();
    assert_eq!(settings.min_workers, 4);
}

#[test]
fn every_problem_is_reported_at_once() {
    let (_folder, mut sources) = file(
        "min_worker = 3\nmax_workers = 0\nuse_thread_workers = true\nworker_thread_pool_size = 4\n\
         cancel_grace_seconds = 3\nlease_seconds = \"soon\"\n[pool]\nsize = 3\n",
    );
    sources.environment.insert("MUSTER_EXECUTION_TIMEOUT_SECOND".to_owned(), "1".to_owned());
    sources.environment.insert("MUSTER_LOG_LEVEL".to_owned(), "inof".to_owned());
    sources.environment.insert("MUSTER_AMQP_URL".to_owned(), "http://guest:pass@mq".to_owned());
    sources.flags.insert("http_bind", Raw::Text(":7420".to_owned()));
    insta::assert_snapshot!(problems(&sources), @r#"
invalid settings, 11 problems:
  - cancel_grace_seconds (from FOLDER/muster.toml) was removed: graceful_shutdown_seconds is the time from SIGTERM to SIGKILL, also after a cancel; set that instead
  - there is no setting min_worker (from FOLDER/muster.toml): did you mean min_workers?
  - there is no setting pool (from FOLDER/muster.toml): `supervisor config` lists the settings there are
  - use_thread_workers (from FOLDER/muster.toml) was removed: every execution runs in a worker process of its own now; delete the setting
  - worker_thread_pool_size (from FOLDER/muster.toml) was removed: workers are processes now, max_workers says how many there may be; delete the setting and set max_workers
  - there is no setting MUSTER_EXECUTION_TIMEOUT_SECOND: did you mean MUSTER_EXECUTION_TIMEOUT_SECONDS?
  - max_workers (from FOLDER/muster.toml) must be from 1 to 10000, not 0
  - amqp_url (from MUSTER_AMQP_URL) must begin with amqp:// or amqps://, not http://
  - lease_seconds (from FOLDER/muster.toml) must be a number of seconds like 30 or 0.5, not "soon"
  - http_bind (from --http-bind) must be an IP address and a port like 127.0.0.1:7420 or [::1]:7420, not ":7420"; empty turns it off
  - log_level (from MUSTER_LOG_LEVEL) must be off, error, warn, info, debug or trace, not "inof"
"#);
}

#[test]
fn a_file_that_cannot_be_used_says_why() {
    let (_folder, broken) = file("min_workers = 1\nmax_workers = = 2\n");
    insta::assert_snapshot!(problems(&broken), @r"invalid settings: FOLDER/muster.toml is not valid TOML, line 2: extra `=`, expected nothing");
    let absent = Sources { config: Some(PathBuf::from("/no/such/muster.toml")), ..Sources::default() };
    insta::assert_snapshot!(problems(&absent), @r"invalid settings: FOLDER/muster.toml cannot be read: No such file or directory (os error 2)");
}

#[test]
fn settings_that_disagree_are_refused() {
    insta::assert_snapshot!(problems(&environment(&[("MUSTER_MIN_WORKERS", "11")])), @r"invalid settings: min_workers (from MUSTER_MIN_WORKERS) is 11, above max_workers, which is 10 (default): lower one or raise the other");
    insta::assert_snapshot!(problems(&environment(&[("MUSTER_HTTP_BIND", "0.0.0.0:7420"), ("MUSTER_HTTP_TOKEN", "none")])), @r"invalid settings: http_bind (from MUSTER_HTTP_BIND) is 0.0.0.0:7420, which other machines can reach: leave http_token out or set one, or bind to 127.0.0.1");
    assert!(Settings::load(&environment(&[("MUSTER_HTTP_BIND", "0.0.0.0:7420")])).is_ok(), "a token is made");
    let beside = [
        ("MUSTER_MIN_WORKERS", "11"),
        ("MUSTER_HTTP_BIND", "0.0.0.0:7420"),
        ("MUSTER_HTTP_TOKEN", "none"),
        ("MUSTER_LEASE_SECONDS", "soon"),
    ];
    let (listed, tokens) = (problems(&environment(&beside)), "MUSTER_HTTP_TOKEN");
    assert!(listed.starts_with("invalid settings, 3 problems:"), "{listed}");
    let unreadable = [("MUSTER_HTTP_BIND", "0.0.0.0:7420"), (tokens, "a b")];
    assert!(!problems(&environment(&unreadable)).contains("leave http_token out"), "it is set, and wrong");
    let with_token = [("MUSTER_HTTP_BIND", "0.0.0.0:7420"), ("MUSTER_HTTP_TOKEN", "open-sesame")];
    assert!(Settings::load(&environment(&with_token)).is_ok());
}

#[test]
fn a_token_that_was_made_is_not_taken_for_that_of_the_supervisor() {
    let made = make_token();
    let made = made.expose_secret();
    insta::assert_snapshot!(problems(&environment(&[("MUSTER_HTTP_TOKEN", made)])), @"invalid settings: http_token (from MUSTER_HTTP_TOKEN) is a token that `supervisor token create` made, and whoever has http_token may do everything: give http_token one of its own, or unset MUSTER_HTTP_TOKEN, and one is made");
    let (folder, in_file) = file(&format!("http_token = \"{made}\"\nmax_workers = 0\n"));
    let listed = problems(&in_file);
    assert!(listed.starts_with("invalid settings, 2 problems:"), "with all others: {listed}");
    assert!(listed.contains("one of its own, or leave it out, and one is made"), "{listed}");
    std::fs::write(folder.path().join("secret"), format!("{made}\n")).unwrap();
    let named = folder.path().join("secret").display().to_string();
    let in_its_file = problems(&environment(&[("MUSTER_HTTP_TOKEN_FILE", &named)]));
    assert!(in_its_file.contains("secret) is a token that"), "{in_its_file}");
    assert!(![listed, in_its_file].concat().contains(made), "it is not said to everybody");
    // What begins alike is another's choice, and where nothing listens nobody is let in by it.
    assert!(Settings::load(&environment(&[("MUSTER_HTTP_TOKEN", "muster_dev")])).is_ok());
    assert!(Settings::load(&environment(&[("MUSTER_HTTP_TOKEN", made), ("MUSTER_HTTP_BIND", "")])).is_ok());
    let client = environment(&[("MUSTER_HTTP_TOKEN", made)]).letting_nobody_in();
    assert!(Settings::load(&client).is_ok(), "what lets nobody in may be a client");
}

#[test]
fn a_ceiling_below_the_default_floor_lowers_it() {
    let settings = Settings::load(&environment(&[("MUSTER_MAX_WORKERS", "1")])).unwrap();
    assert_eq!((settings.min_workers, settings.max_workers), (1, 1));
    let shown = settings.shown();
    assert_eq!(shown[0].origin.to_string(), "default, lowered to max_workers");
}

#[test]
fn each_value_is_held_to_its_bounds() {
    for (key, value) in [
        ("MIN_WORKERS", "10001"),
        ("MIN_WORKERS", "-1"),
        ("MIN_WORKERS", ""),
        ("EXECUTION_TIMEOUT_SECONDS", "0"),
        ("EXECUTION_TIMEOUT_SECONDS", "NaN"),
        ("EXECUTION_TIMEOUT_SECONDS", "inf"),
        ("GRACEFUL_SHUTDOWN_SECONDS", "-0.1"),
        ("SCALE_UP_WAIT_MS", "1.5"),
        ("RECYCLE_AFTER_EXECUTIONS", "often"),
        ("LEASE_SECONDS", "0.2"),
        ("MAX_ATTEMPTS", "0"),
        ("WORKER_COMMAND", "python3 'unclosed"),
        ("WORKER_ENV", "A B C=1 2D"),
        ("WORKER_ENV", "MUSTER_PROTOCOL=2"),
        ("WORKFLOWS_DIR", ""),
        ("DATABASE_URL", "mysql://db/x"),
        ("AMQP_URL", "amqp://"),
        ("AMQP_URL", "mq:5672"),
        ("REDIS_URL", "redis:///0"),
        ("QUEUE", "two words"),
        ("KEY_PREFIX", ""),
        ("HTTP_BIND", "example.org:80"),
        ("HTTP_TOKEN", "two words"),
        ("LOG_LEVEL", "info,sqlx=loud"),
        ("LOG_FORMAT", "xml"),
    ] {
        let variable = format!("MUSTER_{key}");
        let error = Settings::load(&environment(&[(&variable, value)])).unwrap_err();
        assert_eq!(error.problems.len(), 1, "{key}={value}: {error}");
        assert!(error.to_string().contains(&variable), "{error}");
    }
}

#[test]
fn zero_and_empty_mean_none_where_the_contract_says_so() {
    let settings = Settings::load(&environment(&[
        ("MUSTER_HTTP_BIND", ""),
        ("MUSTER_AMQP_URL", ""),
        ("MUSTER_RECYCLE_AFTER_EXECUTIONS", "0"),
        ("MUSTER_GRACEFUL_SHUTDOWN_SECONDS", "0"),
        ("MUSTER_MAX_WORKER_MEMORY_MB", "512"),
        ("MUSTER_RECYCLE_AFTER_SECONDS", "0.25"),
    ]))
    .unwrap();
    assert!(settings.http_bind.is_none() && settings.amqp_url.is_none());
    assert_eq!((settings.recycle_after_executions, settings.max_worker_memory_mb), (None, Some(512)));
    assert_eq!(settings.recycle_after, Some(Duration::from_millis(250)));
    assert_eq!(settings.graceful_shutdown, Duration::ZERO);
}

#[test]
fn variables_that_are_no_settings_are_let_be() {
    let allowed =
        [("MUSTER_PROTOCOL", "1"), ("MUSTER_CONFORMANCE", "1"), ("MUSTER_URL", "http://x"), ("PATH", "/")];
    assert!(Settings::load(&environment(&allowed)).is_ok());
    let error = Settings::load(&environment(&[("MUSTER_min_workers", "1")])).unwrap_err();
    insta::assert_snapshot!(error, @r"invalid settings: there is no setting MUSTER_min_workers: did you mean MUSTER_MIN_WORKERS?");
}

#[test]
fn a_worker_command_is_an_array_or_a_quoted_string() {
    let (_folder, listed) = file("worker_command = [\"/opt/my worker\", \"--fast\"]");
    assert_eq!(Settings::load(&listed).unwrap().worker_command, ["/opt/my worker", "--fast"]);
    let (_folder, quoted) = file("worker_command = \"'/opt/my worker' --fast\"");
    assert_eq!(Settings::load(&quoted).unwrap().worker_command, ["/opt/my worker", "--fast"]);
    let bare = Settings::load(&environment(&[("MUSTER_WORKER_COMMAND", "sh -c true")])).unwrap();
    assert!(bare.worker_command[0].ends_with("/sh") && bare.worker_command[0].starts_with('/'));
    let nowhere = Settings::load(&environment(&[("MUSTER_WORKER_COMMAND", "no-such-program-42 x")])).unwrap();
    assert_eq!(nowhere.worker_command, ["no-such-program-42", "x"], "a missing program is no settings error");
}

#[test]
fn worker_variables_pass_or_set() {
    let mut sources = Sources::default();
    let words = vec!["HTTP_PROXY".to_owned(), "MODE=very fast".to_owned(), "EMPTY=".to_owned()];
    sources.flags.insert("worker_env", Raw::List(words));
    let settings = Settings::load(&sources).unwrap();
    let [
        WorkerVariable::Pass { name },
        WorkerVariable::Set { name: mode, value },
        WorkerVariable::Set { .. },
    ] = settings.worker_env.as_slice()
    else {
        panic!("{:?}", settings.worker_env)
    };
    assert_eq!((name.as_str(), mode.as_str(), value.expose_secret()), ("HTTP_PROXY", "MODE", "very fast"));
}

#[test]
fn what_is_printed_masks_secrets_and_can_be_read_again() {
    let (_folder, mut sources) = file(
        "workflows_dir = \"/srv/workflows\"\ndata_dir = \"/srv/data\"\nworker_command = [\"/opt/worker\", \"-v\"]\n\
         amqp_url = \"amqp://guest:s3cret@mq/%2f\"\nhttp_token = \"s3cret\"\nworker_env = [\"KEY=s3cret\", \"HOME_PAGE\"]\n",
    );
    sources
        .environment
        .insert("MUSTER_DATABASE_URL".to_owned(), "postgres://app:s3cret@db/muster".to_owned());
    let settings = Settings::load(&sources).unwrap();
    let folder = sources.config.as_ref().unwrap().parent().unwrap().display().to_string();
    let text = settings.to_toml();
    assert!(!text.contains("s3cret") && !settings.to_json().to_string().contains("s3cret"));
    assert!(!format!("{settings:?}").contains("s3cret"));
    insta::assert_snapshot!(text.replace(&folder, "FOLDER"), @r#"
min_workers = 2                            # default
max_workers = 10                           # default
isolation = "none"                         # default
template = "auto"                          # default
execution_timeout_seconds = 300            # default
graceful_shutdown_seconds = 5              # default
recycle_after_executions = 0               # default
recycle_after_seconds = 0                  # default
max_worker_memory_mb = 0                   # default
worker_idle_seconds = 60                   # default
worker_start_seconds = 60                  # default
worker_load_seconds = 10                   # default
scale_up_wait_ms = 20                      # default
drain_seconds = 300                        # default
worker_command = ["/opt/worker", "-v"]     # FOLDER/muster.toml
worker_env = ["KEY=***", "HOME_PAGE"]      # FOLDER/muster.toml
confinement = "scoped"                     # default
worker_user = ""                           # default
worker_paths_ro = []                       # default
worker_paths_rw = []                       # default
worker_ports = []                          # default
worker_limits = []                         # default
worker_group_limits = []                   # default
workflows_dir = "/srv/workflows"           # FOLDER/muster.toml
data_dir = "/srv/data"                     # FOLDER/muster.toml
transcripts = "failed"                     # default
transcripts_max_mb = 64                    # default
database_url = "postgres://***@db/muster"  # MUSTER_DATABASE_URL
amqp_url = "amqp://***@mq/%2f"             # FOLDER/muster.toml
redis_url = ""                             # default
database_url_file = ""                     # default
amqp_url_file = ""                         # default
redis_url_file = ""                        # default
tls_ca_file = ""                           # default
tls_cert_file = ""                         # default
tls_key_file = ""                          # default
queue = "workflow-executions"              # default
queues = []                                # default
key_prefix = "muster"                      # default
lease_seconds = 30                         # default
max_attempts = 3                           # default
idempotency_seconds = 86400                # default
http_bind = "127.0.0.1:7420"               # default
http_token = "***"                         # FOLDER/muster.toml
http_token_file = ""                       # default
secret_key = ""                            # default
secret_key_file = ""                       # default
retention_days = 0                         # default
retention_failed_days = 0                  # default
webhook_allow_private = "false"            # default
otlp_url = ""                              # default
otlp_headers = ""                          # default
otlp_headers_file = ""                     # default
otlp_sample_ratio = 1                      # default
log_level = "info"                         # default
log_format = "auto"                        # default
"#);

    let (_folder, again) = file(&text.replace("http_token = \"***\"", "http_token = \"x\""));
    let read_again = Settings::load(&again).unwrap();
    assert_eq!(read_again.worker_command, settings.worker_command);
    assert_eq!(settings.to_json()["min_workers"], serde_json::json!({"value": 2, "origin": "default"}));
}

#[test]
fn what_kubernetes_says_of_a_service_called_muster_is_no_setting() {
    let service = [
        ("MUSTER_SERVICE_HOST", "10.0.0.7"),
        ("MUSTER_SERVICE_PORT", "7420"),
        ("MUSTER_SERVICE_PORT_HTTP", "7420"),
        ("MUSTER_PORT", "tcp://10.0.0.7:7420"),
        ("MUSTER_PORT_7420_TCP", "tcp://10.0.0.7:7420"),
        ("MUSTER_PORT_7420_TCP_ADDR", "10.0.0.7"),
        ("MUSTER_REDIS_SERVICE_HOST", "10.0.0.8"),
        ("MUSTER_REDIS_SERVICE_PORT", "6379"),
        ("MUSTER_REDIS_PORT_6379_TCP_PROTO", "tcp"),
        ("MUSTER_QUEUE", "q"),
    ];
    assert_eq!(Settings::load(&environment(&service)).unwrap().queue, "q");
    let alone = problems(&environment(&[("MUSTER_PORT", "7420")]));
    assert!(alone.contains("MUSTER_PORT"), "{alone}");
}

#[test]
fn relative_folders_and_files_of_a_file_are_beside_it() {
    let text = "data_dir = \"data\"\nworkflows_dir = \"../flows\"\ntls_ca_file = \"ca.pem\"";
    let (folder, mut sources) = file(text);
    let settings = Settings::load(&sources).unwrap();
    assert_eq!(settings.data_dir, folder.path().join("data"));
    assert_eq!(settings.workflows_dir, folder.path().join("../flows"));
    assert_eq!(settings.tls_ca_file, Some(folder.path().join("ca.pem")));
    sources.flags.insert("data_dir", Raw::Text("here".to_owned()));
    let here = std::env::current_dir().unwrap().join("here");
    assert_eq!(Settings::load(&sources).unwrap().data_dir, here);
}

#[test]
fn all_of_the_environment_can_be_let_through_to_workers() {
    let settings = Settings::load(&environment(&[("MUSTER_WORKER_ENV", "* A=1")])).unwrap();
    let [WorkerVariable::PassAll, WorkerVariable::Set { name, .. }] = settings.worker_env.as_slice() else {
        panic!("{:?}", settings.worker_env)
    };
    assert_eq!(name, "A");
    let shown = settings.to_toml();
    assert!(shown.contains("worker_env = [\"*\", \"A=***\"]"), "{shown}");
}

#[test]
fn secrets_may_stand_in_files_of_their_own() {
    let (folder, mut sources) = file(
        "database_url_file = \"database\"\namqp_url = \"amqp://a:b@mq\"\nhttp_token_file = \"absent\"\n",
    );
    let write = |name: &str, text: &str| std::fs::write(folder.path().join(name), text).unwrap();
    write("database", "postgres://muster:hunter2@db/muster\n");
    let refused = Settings::load(&sources).unwrap_err().to_string();
    assert!(refused.contains("http_token_file") && refused.contains("cannot be read"), "{refused}");
    write("absent", "s3cret\n");
    let settings = Settings::load(&sources).unwrap();
    assert_eq!(settings.database_url.expose_secret(), "postgres://muster:hunter2@db/muster");
    assert_eq!(settings.http_token.text(), "s3cret");
    assert!(!settings.to_toml().contains("hunter2") && !settings.to_toml().contains("s3cret"));

    // What goes before a file goes before its content, too.
    sources.flags.insert("database_url", Raw::Text("sqlite:///elsewhere.db".to_owned()));
    let settings = Settings::load(&sources).unwrap();
    assert_eq!(settings.database_url.expose_secret(), "sqlite:///elsewhere.db");
    sources
        .flags
        .insert("database_url_file", Raw::Text(folder.path().join("database").display().to_string()));
    let refused = Settings::load(&sources).unwrap_err().to_string();
    assert!(refused.contains("is given beside database_url: give one of them"), "{refused}");
    sources.flags.remove("database_url");
    write("database", "\n");
    let refused = Settings::load(&sources).unwrap_err().to_string();
    assert!(refused.contains("which is empty"), "{refused}");
}
