//! What a supervisor needs of the operating system: worker processes, the walls around them and their temporary
//! folders, files and folders for their owner alone, the end of a process whose loops have ended, and where the
//! certificates for servers are. Nothing here knows executions, frames or databases.

pub mod certificates;
pub mod confinement;
pub mod private;
pub mod process;
pub mod temporary;
pub mod vital;
