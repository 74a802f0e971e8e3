//! What a supervisor needs of the operating system: worker processes, files and folders for their owner alone, and
//! the end of a process whose loops have ended; and where the certificates for servers are. Nothing here knows executions, frames or databases.

pub mod certificates;
pub mod private;
pub mod process;
pub mod vital;
