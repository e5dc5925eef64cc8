//! PostgreSQL for tests: a database of its own for each test on the server that `tests/run` started,
//! and whole servers for the tests that crash them.

use std::path::Path;
use std::process::{Command, Stdio};

use eventstore_double::Port;
use sqlx::{AssertSqlSafe, Connection as _, Executor as _, PgConnection};
use tempfile::TempDir;
use uuid::Uuid;

/// What `tests/run` tells about the server it started.
fn told(name: &str) -> String {
    std::env::var(name)
        .unwrap_or_else(|_| panic!("{name} is not set: run tests/run, which starts PostgreSQL"))
}

/// A fresh database, dropped at the end.
pub(crate) struct Database {
    server: String,
    name: String,
}

impl Database {
    pub(crate) async fn create() -> Self {
        Self::create_on(told("CHANCERY_TEST_POSTGRES")).await
    }

    async fn create_on(server: String) -> Self {
        let name = format!("test_{}", Uuid::new_v4().simple());
        let mut connection = PgConnection::connect(&server).await.expect("the server answers");
        let create = AssertSqlSafe(format!("CREATE DATABASE {name}"));
        connection.execute(create).await.expect("a new name");
        Self { server, name }
    }

    pub(crate) fn url(&self) -> String {
        let (server, _) = self.server.rsplit_once('/').expect("the URL names a database");
        format!("{server}/{}", self.name)
    }

    pub(crate) fn port(&self) -> u16 {
        port_of(&self.server)
    }

    /// The same database, through something that listens on another port.
    pub(crate) fn url_through(&self, port: u16) -> String {
        self.url().replace(&format!(":{}/", self.port()), &format!(":{port}/"))
    }

    pub(crate) async fn connect(&self) -> PgConnection {
        PgConnection::connect(&self.url()).await.expect("the server answers")
    }
}

fn port_of(url: &str) -> u16 {
    let (_, rest) = url.rsplit_once(':').expect("the URL names a port");
    rest.split('/').next().and_then(|port| port.parse().ok()).expect("the URL names a port")
}

impl Drop for Database {
    fn drop(&mut self) {
        let (server, name) = (self.server.clone(), self.name.clone());
        let drop_it = move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
            runtime.block_on(async {
                let mut connection = PgConnection::connect(&server).await?;
                let drop = AssertSqlSafe(format!("DROP DATABASE IF EXISTS {name} WITH (FORCE)"));
                connection.execute(drop).await?;
                Ok::<_, Box<dyn std::error::Error + Send + Sync>>(())
            })
        };
        // a private server may have been stopped before; what was in it goes with its folder
        drop(std::thread::spawn(drop_it).join());
    }
}

/// A server of its own, for a test that crashes it.
pub(crate) struct Server {
    folder: TempDir,
    port: Port,
}

impl Server {
    pub(crate) fn start_new() -> Self {
        let folder = TempDir::with_prefix("chancery-server-").expect("a temporary folder");
        let user = told("CHANCERY_TEST_POSTGRES_USER");
        if !user.is_empty() {
            run(Command::new("chown").arg(user).arg(folder.path()));
        }
        let server = Self { folder, port: Port::free().expect("a port is free") };
        run(server.command("initdb").args(["-U", "postgres", "-A", "trust", "--no-sync"]));
        server.start();
        server
    }

    pub(crate) fn start(&self) {
        let folder = self.folder.path().display();
        let options =
            format!("-p {} -k {folder} -c listen_addresses=127.0.0.1", self.port.number());
        let log = self.folder.path().join("log");
        run(self.command("pg_ctl").args(["start", "-w", "-s", "-o", &options, "-l"]).arg(log));
    }

    /// As if the power went: no checkpoint, no goodbye.
    pub(crate) fn crash(&self) {
        run(self.command("pg_ctl").args(["stop", "-m", "immediate", "-w", "-s"]));
    }

    pub(crate) async fn database(&self) -> Database {
        Database::create_on(format!(
            "postgres://postgres@127.0.0.1:{}/postgres",
            self.port.number()
        ))
        .await
    }

    /// One of the server's programs, run as the user that may run it.
    fn command(&self, program: &str) -> Command {
        let program = Path::new(&told("CHANCERY_TEST_POSTGRES_BIN")).join(program);
        let user = told("CHANCERY_TEST_POSTGRES_USER");
        let mut command = if user.is_empty() {
            Command::new(program)
        } else {
            let mut command = Command::new("runuser");
            command.args(["-u", &user, "--"]).arg(program);
            command
        };
        command.current_dir(self.folder.path()).arg("-D").arg(self.folder.path().join("server"));
        command
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let mut stop = self.command("pg_ctl");
        drop(stop.args(["stop", "-m", "immediate", "-s"]).stderr(Stdio::null()).status());
    }
}

fn run(command: &mut Command) {
    let status = command.stdout(Stdio::null()).status().expect("the program is there");
    assert!(status.success(), "{command:?} ended with {status}");
}
