//! A program's description of itself: its manual page and completions, from the declaration of its options.

use std::io::{self, Write};

use clap::{Args, CommandFactory};
use clap_complete::Shell;
use clap_mangen::Man;

/// Options that ask for a description, for every program.
#[derive(Clone, Debug, Default, PartialEq, Eq, Args)]
pub struct Describe {
    /// Print the manual page, for man -l -
    #[arg(long, hide_short_help = true)]
    man: bool,

    /// Print completions for a shell: bash, zsh, fish
    #[arg(long, value_name = "SHELL", hide_short_help = true)]
    completions: Option<Shell>,
}

impl Describe {
    /// Whether a description is asked for, and nothing else is to be done.
    pub fn is_asked_for(&self) -> bool {
        *self != Describe::default()
    }

    /// Prints what is asked for.
    ///
    /// # Errors
    /// When stdout cannot be written.
    pub fn print<P: CommandFactory>(&self) -> io::Result<()> {
        let mut command = P::command();
        let mut text = Vec::new();
        if self.man {
            let source = concat!("rdump ", env!("CARGO_PKG_VERSION"));
            Man::new(command.clone()).source(source).manual("Network flows").render(&mut text)?;
        }
        if let Some(shell) = self.completions {
            let name = command.get_name().to_owned();
            clap_complete::generate(shell, &mut command, name, &mut text);
        }
        io::stdout().lock().write_all(&text)
    }
}
