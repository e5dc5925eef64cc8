//! The real program as a child process: on a free port, on a store of its own, stopped gently or
//! killed, and started again on the same data.

use std::fs::OpenOptions;
use std::io::{BufRead as _, BufReader, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Output, Stdio};
use std::time::Duration;

use chancery::event_log::EventLog;
use chancery::event_log::eventstoredb::EventStoreDb;
use eventstore_double::Cluster;
use tempfile::TempDir;
use tokio::sync::watch;
use tokio::time::timeout;
use uuid::Uuid;

use crate::postgres::Database;

const PROGRAM: &str = env!("CARGO_BIN_EXE_chancery");
/// Longer than anything takes on a busy machine; only a fault waits for it.
const SOON: Duration = Duration::from_mins(2);
const SERVES: &str = "chancery serves on ";

/// Which stores an installation uses.
enum Store {
    Sqlite,
    Postgres(Database),
    /// The log in EventStoreDB, everything else on SQLite.
    EventStoreDb(Cluster),
}

/// What outlives a process: the stores, the master key, and one data folder for each node.
pub(crate) struct Installation {
    store: Store,
    folder: TempDir,
}

impl Installation {
    pub(crate) fn sqlite() -> Self {
        Self::on(Store::Sqlite)
    }

    pub(crate) async fn postgres() -> Self {
        Self::on(Store::Postgres(Database::create().await))
    }

    pub(crate) fn eventstoredb() -> Self {
        Self::on(Store::EventStoreDb(Cluster::start(1).expect("a port is free")))
    }

    fn on(store: Store) -> Self {
        let folder = TempDir::with_prefix("chancery-data-").expect("a temporary folder");
        Self { store, folder }
    }

    /// The data folder of the first node.
    pub(crate) fn data(&self) -> PathBuf {
        self.data_of(0)
    }

    fn data_of(&self, node: usize) -> PathBuf {
        self.folder.path().join(format!("node-{node}"))
    }

    pub(crate) fn master_key(&self) -> PathBuf {
        self.folder.path().join("master.key")
    }

    /// Puts the master key there before the first start, as several nodes need it.
    pub(crate) fn with_master_key(self) -> Self {
        let key = [Uuid::new_v4(), Uuid::new_v4()].map(|half| half.simple().to_string()).concat();
        let mut file = OpenOptions::new();
        let file = file.write(true).create_new(true).mode(0o600).open(self.master_key());
        writeln!(file.expect("it is not there"), "{key}").expect("the disk has room");
        self
    }

    /// The database, of an installation on PostgreSQL.
    pub(crate) fn database(&self) -> &Database {
        match &self.store {
            Store::Postgres(database) => database,
            Store::Sqlite | Store::EventStoreDb(_) => panic!("this is not on PostgreSQL"),
        }
    }

    /// Whether its program comes by a fail-point.
    pub(crate) fn passes(&self, place: &str) -> bool {
        match &self.store {
            Store::Sqlite | Store::Postgres(_) => true,
            // between being sent and being answered an append is in the server's hands
            Store::EventStoreDb(_) => place != "log.inserted" && place != "log.answered",
        }
    }

    /// The log itself; on SQLite only while the server is stopped.
    pub(crate) async fn log(&self) -> EventLog {
        match &self.store {
            Store::Sqlite => EventLog::sqlite(&self.data().join("log.db")).expect("the file opens"),
            Store::Postgres(database) => {
                EventLog::postgres(&database.url()).await.expect("the server answers")
            }
            Store::EventStoreDb(cluster) => EventLog::EventStoreDb(
                EventStoreDb::connect(&cluster.url()).await.expect("the URL can be read"),
            ),
        }
    }

    fn command(&self, node: usize, verb: &[&str]) -> Command {
        let mut command = Command::new(PROGRAM);
        command.current_dir(self.folder.path()).args(verb);
        command.arg("--data").arg(self.data_of(node));
        command.arg("--master-key-file").arg(self.master_key());
        // tests hurry; the few that want limits say so
        command.env("CHANCERY_RATE_LIMITS", "off");
        match &self.store {
            Store::Sqlite => {}
            Store::Postgres(database) => drop(command.args(["--database", &database.url()])),
            Store::EventStoreDb(cluster) => drop(command.args(["--event-log", &cluster.url()])),
        }
        command
    }

    /// The first node, serving.
    pub(crate) async fn start(&self) -> Node {
        self.start_node(0).await
    }

    pub(crate) async fn start_node(&self, node: usize) -> Node {
        self.launch(node, &[]).serving().await
    }

    /// A node whose clock the operator may move.
    pub(crate) async fn start_with_clock(&self, node: usize) -> Node {
        self.launch(node, &[("CHANCERY_TEST_CLOCK", "on")]).serving().await
    }

    /// The provisioners' credential of the first node.
    pub(crate) fn provisioner_token(&self) -> String {
        let path = self.data().join("provisioner.token");
        std::fs::read_to_string(path).expect("it was made at the first start")
    }

    /// The operator's credential of the first node.
    pub(crate) fn operator_token(&self) -> String {
        let path = self.data().join("operator.token");
        std::fs::read_to_string(path).expect("it is made at the first start")
    }

    /// The first node, made to stop at a named place.
    pub(crate) async fn start_failing_at(&self, place: &str, how: &str) -> Node {
        let variables = [("CHANCERY_FAIL_POINT", place), ("CHANCERY_FAIL_HOW", how)];
        self.launch(0, &variables).serving().await
    }

    /// A node that may not serve yet, or never.
    pub(crate) fn launch(&self, node: usize, variables: &[(&str, &str)]) -> Node {
        let mut command = self.command(node, &["serve", "--listen", "127.0.0.1:0"]);
        command.envs(variables.iter().copied());
        Node::spawn(command)
    }

    /// Runs an operator verb to its end.
    pub(crate) fn run(&self, verb: &[&str]) -> Output {
        // a verb that hangs is killed, and has failed
        let mut command = Command::new("timeout");
        let verb = self.command(0, verb);
        command.current_dir(self.folder.path()).args(["-s", "KILL", "300"]);
        command.arg(verb.get_program()).args(verb.get_args());
        command.output().expect("the program runs")
    }

    /// Every read model's rows are what the log says.
    pub(crate) fn assert_no_difference(&self) {
        let output = self.run(&["projections", "diff"]);
        let (rows, talk) = (text(&output.stdout), text(&output.stderr));
        assert!(output.status.success() && rows.is_empty(), "{rows}\n{talk}");
        assert!(talk.contains("audit_trail"), "every model was compared: {talk}");
    }
}

pub(crate) fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// One process that serves, killed when it is dropped.
pub(crate) struct Node {
    child: Child,
    url: String,
    said: watch::Receiver<Vec<String>>,
}

impl Node {
    fn spawn(mut command: Command) -> Self {
        let mut child = command
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the program starts");
        let lines = BufReader::new(child.stderr.take().expect("it is piped")).lines();
        let (sender, said) = watch::channel(Vec::new());
        std::thread::spawn(move || {
            for line in lines.map_while(Result::ok) {
                sender.send_modify(|said| said.push(line));
            }
        });
        Self { child, url: String::new(), said }
    }

    pub(crate) async fn serving(mut self) -> Self {
        let line = self.until_it_says(SERVES).await;
        let (_, url) = line.split_once(SERVES).expect("it is in the line");
        url.trim().clone_into(&mut self.url);
        self
    }

    pub(crate) fn url(&self) -> &str {
        &self.url
    }

    /// Host and port.
    pub(crate) fn address(&self) -> &str {
        self.url.trim_start_matches("http://")
    }

    /// Waits for a line on stderr that contains this.
    pub(crate) async fn until_it_says(&self, words: &str) -> String {
        let mut said = self.said.clone();
        let is_in = |line: &&String| line.contains(words);
        let heard = timeout(SOON, said.wait_for(|lines| lines.iter().any(|l| is_in(&l)))).await;
        let heard = match heard {
            Ok(Ok(lines)) => lines.iter().find(is_in).cloned(),
            Ok(Err(_)) | Err(_) => None,
        };
        heard.unwrap_or_else(|| panic!("it never said `{words}`:\n{}", self.said()))
    }

    /// Waits until so many lines on stderr contain this, and gives them.
    pub(crate) async fn until_it_has_said(&self, words: &str, times: usize) -> Vec<String> {
        let mut said = self.said.clone();
        let count = |lines: &Vec<String>| lines.iter().filter(|line| line.contains(words)).count();
        let heard = timeout(SOON, said.wait_for(|lines| count(lines) >= times)).await;
        match heard {
            Ok(Ok(lines)) => lines.iter().filter(|line| line.contains(words)).cloned().collect(),
            Ok(Err(_)) | Err(_) => {
                panic!("it did not say `{words}` {times} times:\n{}", self.said())
            }
        }
    }

    /// Everything it has written to stderr.
    pub(crate) fn said(&self) -> String {
        self.said.borrow().join("\n")
    }

    /// Tells it to stop, without waiting.
    pub(crate) fn terminate(&self) {
        self.signal("TERM");
    }

    /// Stops it as an operator does; it must end well.
    pub(crate) async fn stop(mut self) -> String {
        self.terminate();
        let status = self.ended().await;
        assert!(status.success(), "{status}:\n{}", self.said());
        self.said()
    }

    /// As if the machine had lost its power.
    pub(crate) fn kill(mut self) {
        self.child.kill().expect("it is ours");
        self.child.wait().expect("it is ours");
    }

    /// Freezes it, as a machine does that sleeps or swaps.
    pub(crate) fn pause(&self) {
        self.signal("STOP");
    }

    pub(crate) fn resume(&self) {
        self.signal("CONT");
    }

    fn signal(&self, name: &str) {
        let id = self.child.id().to_string();
        let status = Command::new("kill").args(["-s", name, &id]).status();
        assert!(status.expect("`kill` is there").success(), "the process is there");
    }

    /// Waits for the process to end.
    pub(crate) async fn ended(&mut self) -> ExitStatus {
        // stderr is closed when the process ends, and its reader drops the sender
        let closed = async { while self.said.changed().await.is_ok() {} };
        timeout(SOON, closed).await.unwrap_or_else(|_| panic!("it goes on:\n{}", self.said()));
        self.child.wait().expect("it is ours")
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

/// Every file below a folder.
pub(crate) fn files(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).expect("the folder is there") {
        let path = entry.expect("it can be listed").path();
        if path.is_dir() {
            found.extend(files(&path));
        } else {
            found.push(path);
        }
    }
    found
}

/// A promise that every store keeps, as a test for each of them.
macro_rules! on_every_store {
    ($($promise:ident)*) => {
        $(mod $promise {
            #[tokio::test(flavor = "multi_thread")]
            async fn sqlite() {
                super::$promise(crate::server::Installation::sqlite()).await;
            }

            #[tokio::test(flavor = "multi_thread")]
            async fn postgres() {
                super::$promise(crate::server::Installation::postgres().await).await;
            }

            #[tokio::test(flavor = "multi_thread")]
            async fn eventstoredb() {
                super::$promise(crate::server::Installation::eventstoredb()).await;
            }
        })*
    };
}
pub(crate) use on_every_store;
