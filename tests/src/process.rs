//! A child process whose output lines can be awaited.

use std::collections::VecDeque;
use std::io::{BufRead, BufReader, Read, Write};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Condvar, Mutex};
use std::time::{Duration, Instant};

/// How long any awaited line or exit may take before the test fails. Generous: nothing waits this
/// long unless it is broken.
pub const PATIENCE: Duration = Duration::from_secs(60);

/// The newest lines that are kept for failure messages.
const LINES_KEPT: usize = 2_000;

#[derive(Debug, Default)]
struct Output {
    lines: VecDeque<String>,
    dropped: usize,
    closed: usize,
}

/// A started process. Dropping it kills it.
#[derive(Debug)]
pub struct Process {
    name: String,
    child: Child,
    output: Arc<(Mutex<Output>, Condvar)>,
}

impl Process {
    /// Starts the command with its output captured and its standard input held open.
    ///
    /// # Panics
    /// When the program cannot be started.
    #[must_use]
    pub fn start(name: &str, command: &mut Command) -> Self {
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command
            .spawn()
            .unwrap_or_else(|error| panic!("cannot start {name} ({command:?}): {error}"));
        let output = Arc::new((Mutex::new(Output::default()), Condvar::new()));
        collect(child.stdout.take().expect("stdout is piped"), &output);
        collect(child.stderr.take().expect("stderr is piped"), &output);
        Self { name: name.to_owned(), child, output }
    }

    /// The process id.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Waits for a line that contains `text`, from the start of the output on, and returns it.
    ///
    /// # Panics
    /// When the process ends first or the line does not come; the message holds the output.
    #[must_use]
    pub fn wait_for_line(&self, text: &str) -> String {
        self.wait_for_nth_line(text, 0, PATIENCE)
    }

    /// Waits for a line that contains `text` and comes after `before` others that do.
    ///
    /// # Panics
    /// As [`Process::wait_for_line`].
    #[must_use]
    pub fn wait_for_nth_line(&self, text: &str, before: usize, patience: Duration) -> String {
        let (lock, signal) = &*self.output;
        let deadline = Instant::now() + patience;
        let mut output = lock.lock().expect("no reader panics");
        loop {
            if let Some(line) = output.lines.iter().filter(|l| l.contains(text)).nth(before) {
                return line.clone();
            }
            let left = deadline.saturating_duration_since(Instant::now());
            assert!(
                output.closed < 2 && !left.is_zero(),
                "{} never said {text:?}. It said:\n{}",
                self.name,
                output.lines.iter().cloned().collect::<Vec<_>>().join("\n")
            );
            output = signal.wait_timeout(output, left).expect("no reader panics").0;
        }
    }

    /// All output so far, both streams, newest `LINES_KEPT` lines.
    #[must_use]
    pub fn output(&self) -> String {
        let output = self.output.0.lock().expect("no reader panics");
        output.lines.iter().map(|line| format!("{line}\n")).collect()
    }

    /// Whether the process is still running.
    #[must_use]
    pub fn is_running(&mut self) -> bool {
        self.child.try_wait().expect("a child can be waited for").is_none()
    }

    /// SIGKILL, and waits until the process is gone.
    pub fn kill(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }

    /// Sends SIGTERM and waits for the end.
    ///
    /// # Panics
    /// When the process does not end in time.
    #[must_use]
    pub fn terminate(&mut self) -> ExitStatus {
        let pid = i32::try_from(self.pid()).ok().and_then(rustix::process::Pid::from_raw);
        let pid = pid.expect("a child has a process id");
        rustix::process::kill_process(pid, rustix::process::Signal::TERM)
            .expect("the child is ours to signal");
        self.wait_for_end()
    }

    /// Writes a line to the standard input of the process.
    ///
    /// # Panics
    /// When the process has closed it.
    pub fn tell(&mut self, line: &str) {
        let stdin = self.child.stdin.as_mut().expect("stdin is piped");
        writeln!(stdin, "{line}").expect("the process reads");
    }

    /// Waits until both output streams are closed and returns how the process ended.
    ///
    /// # Panics
    /// When the process does not end in time.
    #[must_use]
    pub fn wait_for_end(&mut self) -> ExitStatus {
        drop(self.child.stdin.take());
        let (lock, signal) = &*self.output;
        let deadline = Instant::now() + PATIENCE;
        let mut output = lock.lock().expect("no reader panics");
        while output.closed < 2 {
            let left = deadline.saturating_duration_since(Instant::now());
            assert!(!left.is_zero(), "{} did not end. It said:\n{:?}", self.name, output.lines);
            output = signal.wait_timeout(output, left).expect("no reader panics").0;
        }
        drop(output);
        self.child.wait().expect("a child can be waited for")
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.kill();
    }
}

/// Reads a stream line by line into the shared output until it is closed.
fn collect(stream: impl Read + Send + 'static, output: &Arc<(Mutex<Output>, Condvar)>) {
    let output = Arc::clone(output);
    std::thread::spawn(move || {
        for line in BufReader::new(stream).split(b'\n') {
            let Ok(line) = line else { break };
            let mut held = output.0.lock().expect("no reader panics");
            if held.lines.len() == LINES_KEPT {
                held.lines.pop_front();
                held.dropped += 1;
            }
            held.lines.push_back(String::from_utf8_lossy(&line).into_owned());
            output.1.notify_all();
        }
        output.0.lock().expect("no reader panics").closed += 1;
        output.1.notify_all();
    });
}
