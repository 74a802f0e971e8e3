//! The table of settings. A row is all there is to write to add one.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use muster_core::pool::Isolation;
use muster_system::confinement::{ConfinementLevel, ResourceLimits};
use muster_system::process::GroupLimits;
use secrecy::SecretString;

use super::kind::{
    self, AllowKind, BindKind, CommandKind, ConfinementKind, DatabaseUrl, DaysKind, FileKind, FormatKind,
    HeadersKind, HttpToken, IntervalKind, IsolationKind, LevelKind, LimitKind, LimitsKind, LogFormat,
    MillisKind, NameKind, NamesKind, PathKind, PathsKind, PortsKind, RatioKind, SecondsKind, SecretKeyKind,
    ServerUrl, SettingKind, TemplateKind, TemplatePolicy, TokenKind, TranscriptPolicy, TranscriptsKind,
    VariablesKind, WorkerUserKind, WorkerUserSetting, WorkerVariable,
};
use super::load::SettingsReader;
use super::show::ShownSetting;
use super::source::Origins;

/// What is known of a setting beside its value.
#[derive(Clone, Copy, Debug)]
pub struct SettingKey {
    /// Its name: the key in the file, and with other letters the variable and the flag.
    pub name: &'static str,
    /// What the setting means, in one paragraph.
    pub help: &'static str,
    /// The default as a person would write it; empty when it is computed or there is none.
    pub default: &'static str,
    /// What stands for the value in help texts.
    pub placeholder: &'static str,
    /// The flag may be given several times.
    pub is_list: bool,
}

impl SettingKey {
    /// The name of the environment variable, such as `MUSTER_MIN_WORKERS`.
    pub fn variable(&self) -> String {
        format!("MUSTER_{}", self.name.to_ascii_uppercase())
    }

    /// The flag without its dashes in front: `min-workers`.
    pub fn flag(&self) -> String {
        self.name.replace('_', "-")
    }
}

macro_rules! settings {
    ($(
        $(#[doc = $help:literal])+
        $key:literal => $field:ident: $type:ty, $kind:ident = $make:expr, default $default:literal;
    )+) => {
        /// The effective settings. Fields are typed: what is in seconds is a [`Duration`], "none" is an
        /// `Option`, secrets do not show in logs. Made by [`Settings::load`].
        #[derive(Clone, Debug)]
        pub struct Settings {
            $( $(#[doc = $help])+ pub $field: $type, )+
            pub(super) origins: Origins,
        }

        /// Every setting there is, in the order people read them.
        pub static KEYS: &[SettingKey] = &[$( SettingKey {
            name: $key,
            help: concat!($($help),+),
            default: $default,
            placeholder: <$kind as SettingKind>::PLACEHOLDER,
            is_list: <$kind as SettingKind>::IS_LIST,
        } ),+];

        /// What could be read of the settings: a field is `None` when its problem was noted.
        pub(super) struct Readable {
            $( pub(super) $field: Option<$type>, )+
            pub(super) origins: Origins,
        }

        impl Readable {
            /// Reads every key, so that every problem is found.
            pub(super) fn read(reader: &mut SettingsReader<'_>) -> Self {
                Self { $( $field: reader.value($key, $default, &$make), )+ origins: reader.origins() }
            }

            /// The settings, if all could be read.
            pub(super) fn whole(self) -> Option<Settings> {
                Some(Settings { $( $field: self.$field?, )+ origins: self.origins })
            }
        }

        impl Settings {
            /// The settings as a person may see them, secrets masked, in the order of the table.
            pub fn shown(&self) -> Vec<ShownSetting> {
                vec![$( ShownSetting {
                    key: $key,
                    value: $make.show(&self.$field),
                    origin: self.origins.get($key),
                } ),+]
            }
        }
    };
}

type Count = kind::CountKind<usize>;
type Attempts = kind::CountKind<u32>;
type OwnLimits = LimitsKind<ResourceLimits>;
type SharedLimits = LimitsKind<GroupLimits>;

/// A year: longer than anything here should wait.
const YEAR: f64 = 31_536_000.0;

settings! {
    /// Workers kept warm, ready for work.
    "min_workers" => min_workers: usize, Count = Count::new(1, 10_000), default "2";
    /// The most workers there ever are.
    "max_workers" => max_workers: usize, Count = Count::new(1, 10_000), default "10";
    /// Which executions may share a worker: none (all may), organization (those of one organization), execution (each has a process of its own).
    "isolation" => isolation: Isolation, IsolationKind = IsolationKind::new(), default "none";
    /// Make workers of a template, a process that has loaded all there is and forks: auto (if the worker can) or off.
    "template" => template: TemplatePolicy, TemplateKind = TemplateKind::new(), default "auto";
    /// How long an execution may run when neither it nor its workflow says.
    "execution_timeout_seconds" => execution_timeout: Duration, SecondsKind = SecondsKind::above_zero(YEAR), default "300";
    /// From SIGTERM to SIGKILL for a worker that does not leave.
    "graceful_shutdown_seconds" => graceful_shutdown: Duration, SecondsKind = SecondsKind::from_zero(YEAR), default "5";
    /// Replace a worker after so many executions, as soon as its replacement is ready; 0 means never. A hard bound of one is isolation = execution.
    "recycle_after_executions" => recycle_after_executions: Option<u64>, LimitKind = LimitKind, default "0";
    /// Replace a worker older than this; 0 means never.
    "recycle_after_seconds" => recycle_after: Option<Duration>, IntervalKind = IntervalKind(SecondsKind::from_zero(YEAR)), default "0";
    /// Replace a worker that ends an execution above this many MiB, kill it above 1.5 times that; 0 means no limit.
    "max_worker_memory_mb" => max_worker_memory_mb: Option<u64>, LimitKind = LimitKind, default "0";
    /// Retire a worker above min_workers that was idle so long.
    "worker_idle_seconds" => worker_idle: Duration, SecondsKind = SecondsKind::from_zero(YEAR), default "60";
    /// From spawning a worker to its Ready.
    "worker_start_seconds" => worker_start: Duration, SecondsKind = SecondsKind::above_zero(YEAR), default "60";
    /// What one workflow file may take to be loaded, before the worker goes on without it. Well below worker_start_seconds.
    "worker_load_seconds" => worker_load: Duration, SecondsKind = SecondsKind::above_zero(YEAR), default "10";
    /// Start another worker when the oldest claimed execution has waited so many milliseconds for one.
    "scale_up_wait_ms" => scale_up_wait: Duration, MillisKind = MillisKind { max: 3_600_000 }, default "20";
    /// How long SIGTERM lets running executions go on.
    "drain_seconds" => drain: Duration, SecondsKind = SecondsKind::from_zero(YEAR), default "300";
    /// The program of a worker and its arguments: a TOML array or a shell-quoted string. Default: the `worker` beside the supervisor.
    "worker_command" => worker_command: Vec<String>, CommandKind = CommandKind, default "";
    /// Environment variables that workers get beside PATH, HOME, LANG and TZ: NAME lets one through, NAME=VALUE sets it, * lets all through but those that begin with MUSTER_ or speak of the supervisor alone, such as NOTIFY_SOCKET.
    "worker_env" => worker_env: Vec<WorkerVariable>, VariablesKind = VariablesKind, default "";
    /// What a worker is kept from by the operating system: off, scoped (other processes, privileges) or strict (besides files, connections, system calls).
    "confinement" => confinement: ConfinementLevel, ConfinementKind = ConfinementKind::new(), default "scoped";
    /// Who workers run as, when the supervisor is started as root: a user, or a range like 900000-900999 of which each worker has one.
    "worker_user" => worker_user: WorkerUserSetting, WorkerUserKind = WorkerUserKind, default "";
    /// What strictly confined workers may read beside the system's folders, their interpreter and workflows_dir.
    "worker_paths_ro" => worker_paths_ro: Vec<PathBuf>, PathsKind = PathsKind, default "";
    /// What strictly confined workers may read and write beside their temporary folder.
    "worker_paths_rw" => worker_paths_rw: Vec<PathBuf>, PathsKind = PathsKind, default "";
    /// The TCP ports that strictly confined workers may connect to.
    "worker_ports" => worker_ports: Vec<u16>, PortsKind = PortsKind, default "";
    /// What a worker may use: processes=N and files=N, file_size_mb=N and address_space_mb=N.
    "worker_limits" => worker_limits: ResourceLimits, OwnLimits = OwnLimits::new(), default "";
    /// What a worker and all it started may use together, where the supervisor has a control group of its own: memory_max_mb=N and memory_high_mb=N, processes=N, cpu_weight=N (100 is the share of one without).
    "worker_group_limits" => worker_group_limits: GroupLimits, SharedLimits = SharedLimits::new(), default "";
    /// The folder of workflow files, given to workers.
    "workflows_dir" => workflows_dir: PathBuf, PathKind = PathKind, default "./workflows";
    /// The folder of the embedded database, the outbox and transcripts.
    "data_dir" => data_dir: PathBuf, PathKind = PathKind, default "./muster-data";
    /// Which executions leave a transcript of their frames in data_dir: failed, all or none.
    "transcripts" => transcripts: TranscriptPolicy, TranscriptsKind = TranscriptsKind::new(), default "failed";
    /// What transcripts may take on disk, in MiB; the oldest give way. 0 means no limit.
    "transcripts_max_mb" => transcripts_max_mb: Option<u64>, LimitKind = LimitKind, default "64";
    /// The database, `postgres://...` or `sqlite://...`. Default: SQLite in data_dir.
    "database_url" => database_url: SecretString, DatabaseUrl = DatabaseUrl, default "";
    /// The RabbitMQ server, `amqp://...` or `amqps://...`. Default: none, the queue is in the database.
    "amqp_url" => amqp_url: Option<SecretString>, ServerUrl = ServerUrl(&["amqp", "amqps"]), default "";
    /// The Redis server, `redis://...` or `rediss://...`. Default: none, cache and live views are in process.
    "redis_url" => redis_url: Option<SecretString>, ServerUrl = ServerUrl(&["redis", "rediss"]), default "";
    /// A file that holds database_url, for nobody else to read: a flag shows in the list of processes.
    "database_url_file" => database_url_file: Option<PathBuf>, FileKind = FileKind, default "";
    /// A file that holds amqp_url.
    "amqp_url_file" => amqp_url_file: Option<PathBuf>, FileKind = FileKind, default "";
    /// A file that holds redis_url.
    "redis_url_file" => redis_url_file: Option<PathBuf>, FileKind = FileKind, default "";
    /// PEM certificates of the authorities behind the servers' certificates, beside the public ones for PostgreSQL and RabbitMQ. With it PostgreSQL is asked for `sslmode=verify-full` unless its URL says otherwise.
    "tls_ca_file" => tls_ca_file: Option<PathBuf>, FileKind = FileKind, default "";
    /// The supervisor's own PEM certificate, for servers that want one.
    "tls_cert_file" => tls_cert_file: Option<PathBuf>, FileKind = FileKind, default "";
    /// The PEM private key of tls_cert_file, without a passphrase.
    "tls_key_file" => tls_key_file: Option<PathBuf>, FileKind = FileKind, default "";
    /// The RabbitMQ queue; its dead letters go to the queue with `.dead` behind the name.
    "queue" => queue: String, NameKind = NameKind { max_bytes: 200 }, default "workflow-executions";
    /// The queues whose executions are run here, each also a queue of RabbitMQ. Default: `queue` alone, which is where what names none goes. The variable has
    /// blanks between them; the flag may be given several times.
    "queues" => queues: Vec<String>, NamesKind = NamesKind(NameKind { max_bytes: 200 }), default "";
    /// What Redis keys and channels start with.
    "key_prefix" => key_prefix: String, NameKind = NameKind { max_bytes: 100 }, default "muster";
    /// How long a claim holds without being renewed; it is renewed every third of it.
    "lease_seconds" => lease: Duration, SecondsKind = SecondsKind { min: 1.0, max: 3_600.0 }, default "30";
    /// How often an execution is tried when its supervisor or host died.
    "max_attempts" => max_attempts: u32, Attempts = Attempts::new(1, 1_000), default "3";
    /// How long the idempotency key of a submit is remembered when it does not say.
    "idempotency_seconds" => idempotency: Duration, SecondsKind = SecondsKind::above_zero(YEAR), default "86400";
    /// Address of the API, WebSocket, dashboard, health and metrics; empty means none of them.
    "http_bind" => http_bind: Option<SocketAddr>, BindKind = BindKind, default "127.0.0.1:7420";
    /// The bearer token clients of the API must show. Default: one made at the first start, in data_dir/http_token; none that `supervisor token create` made. `none`: every local program is let in; for a loopback http_bind only.
    "http_token" => http_token: HttpToken, TokenKind = TokenKind, default "";
    /// A file that holds http_token.
    "http_token_file" => http_token_file: Option<PathBuf>, FileKind = FileKind, default "";
    /// The keys that secrets are encrypted with in the database, made by `supervisor secret key`: the first is used, the others are to read what was encrypted before. The same for every supervisor on a database.
    "secret_key" => secret_key: Option<SecretString>, SecretKeyKind = SecretKeyKind, default "";
    /// A file that holds secret_key.
    "secret_key_file" => secret_key_file: Option<PathBuf>, FileKind = FileKind, default "";
    /// After how many days executions that ended are removed, with their logs and events; fractions allowed, 0: never.
    "retention_days" => retention: Option<Duration>, DaysKind = DaysKind, default "0";
    /// The same for those that failed or took too long; 0: as the others.
    "retention_failed_days" => retention_failed: Option<Duration>, DaysKind = DaysKind, default "0";
    /// Whether webhooks may reach addresses that are private or of this machine.
    "webhook_allow_private" => webhook_allow_private: bool, AllowKind = AllowKind::new(), default "false";
    /// The collector that takes traces over OTLP/HTTP, such as `http://localhost:4318`; `/v1/traces` is added where the URL has no path. Default: none, nothing is traced.
    "otlp_url" => otlp_url: Option<SecretString>, ServerUrl = ServerUrl(&["http", "https"]), default "";
    /// Headers that the collector wants, such as a key: NAME=VALUE, several with commas between.
    "otlp_headers" => otlp_headers: Option<SecretString>, HeadersKind = HeadersKind, default "";
    /// A file that holds otlp_headers.
    "otlp_headers_file" => otlp_headers_file: Option<PathBuf>, FileKind = FileKind, default "";
    /// Which part of the executions is traced, from 0 to 1, where whoever submits one does not say by its traceparent.
    "otlp_sample_ratio" => otlp_sample_ratio: f64, RatioKind = RatioKind, default "1";
    /// What is logged: off, error, warn, info, debug, trace, or a list like `info,muster_core::pool=debug`. `executions=off` leaves out
    /// the line of each execution that ended, `audit=off` those of requests that change something.
    "log_level" => log_level: String, LevelKind = LevelKind, default "info";
    /// How it is logged: auto (text on a terminal, else json), text or json.
    "log_format" => log_format: LogFormat, FormatKind = FormatKind::new(), default "auto";
}
