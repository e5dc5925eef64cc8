//! Kinds of databases that there are to choose from. Built in.

/// A kind of database, with its versions, the oldest first.
pub(crate) struct Engine {
    pub(crate) name: &'static str,
    pub(crate) versions: &'static [&'static str],
    /// The version for who asks for none.
    pub(crate) usual: &'static str,
}

/// The first one is for who asks for none.
pub(crate) const ENGINES: [Engine; 7] = [
    Engine { name: "postgresql", versions: &["14", "15", "16", "17", "18"], usual: "17" },
    Engine { name: "mysql", versions: &["8.4"], usual: "8.4" },
    Engine { name: "mongodb", versions: &["6.0", "7.0", "8.0"], usual: "8.0" },
    Engine { name: "valkey", versions: &["7.2", "8.0", "8.1", "9.0"], usual: "8.1" },
    Engine { name: "kafka", versions: &["3.6", "3.7", "3.8", "3.9", "4.0"], usual: "4.0" },
    Engine { name: "opensearch", versions: &["2"], usual: "2" },
    Engine { name: "mssql", versions: &["4.8"], usual: "4.8" },
];
