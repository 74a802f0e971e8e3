//! A program with its arguments and its environment, as the kernel takes them.

use std::ffi::{CString, OsStr, c_char};
use std::io;
use std::os::unix::ffi::OsStrExt as _;

use rustix::io::Errno;

/// What is executed. Everything is laid out before, so that executing it touches no memory of ours.
#[derive(Debug)]
pub(super) struct ExecArguments {
    program: CString,
    arguments: Words,
    environment: Words,
}

impl ExecArguments {
    /// The first argument is what the program is called.
    ///
    /// # Errors
    /// When a zero byte is in one of them.
    pub(super) fn new<'a>(
        program: &OsStr,
        arguments: impl Iterator<Item = &'a OsStr>,
        environment: impl Iterator<Item = (&'a OsStr, &'a OsStr)>,
    ) -> io::Result<Self> {
        let words = arguments.map(|word| word.as_bytes().to_vec());
        let variables = environment.map(|(name, value)| [name.as_bytes(), b"=", value.as_bytes()].concat());
        Ok(Self {
            program: CString::new(program.as_bytes())?,
            arguments: Words::new(words)?,
            environment: Words::new(variables)?,
        })
    }

    /// Becomes the program; returns only when that cannot be.
    #[expect(unsafe_code, reason = "std executes a program only with what it allocates itself")]
    pub(super) fn execute(&self) -> Errno {
        // SAFETY: all three end with a zero, and live as long as this.
        unsafe {
            libc::execve(
                self.program.as_ptr(),
                self.arguments.pointers.as_ptr(),
                self.environment.pointers.as_ptr(),
            )
        };
        Errno::from_io_error(&io::Error::last_os_error()).unwrap_or(Errno::INVAL)
    }
}

/// A list of strings for the kernel, and the strings.
#[derive(Debug)]
struct Words {
    pointers: Vec<*const c_char>,
    _owned: Vec<CString>,
}

impl Words {
    fn new(words: impl Iterator<Item = Vec<u8>>) -> io::Result<Self> {
        let owned = words.map(CString::new).collect::<Result<Vec<_>, _>>()?;
        // A string stays where it is when the list of them moves.
        let pointers = owned.iter().map(|word| word.as_ptr()).chain([std::ptr::null()]).collect();
        Ok(Self { pointers, _owned: owned })
    }
}
