//! Runs the tests that are asked for, as libtest would, and says which took longest.

use std::process::ExitCode;
use std::time::{Duration, Instant};

use libtest_mimic::{Arguments, Failed, Trial, run};
use parking_lot::Mutex;

/// How many of the slowest are printed.
const SLOWEST: usize = 20;

/// How long each test took, in the order they ended.
static TIMES: Mutex<Vec<(Duration, String)>> = Mutex::new(Vec::new());

/// What was asked for on the command line: the options of libtest, and the names.
pub struct Asked {
    options: Arguments,
    filters: Vec<String>,
}

/// A test by name, which fails by a panic.
pub fn check(name: impl Into<String>, check: impl FnOnce() + Send + 'static) -> Trial {
    trial(name, move || {
        check();
        Vec::new()
    })
}

/// A test by name, which fails where it complains.
pub fn trial(
    name: impl Into<String>,
    complaints: impl FnOnce() -> Vec<String> + Send + 'static,
) -> Trial {
    let name = name.into();
    let own = name.clone();
    Trial::test(name, move || {
        let watch = Watch(own, Instant::now());
        let complaints = complaints();
        drop(watch);
        if complaints.is_empty() {
            Ok(())
        } else {
            Err(Failed::from(complaints.join("\n")))
        }
    })
}

/// The time of a test, noted also where it panics.
struct Watch(String, Instant);

impl Drop for Watch {
    fn drop(&mut self) {
        let time = (self.1.elapsed(), std::mem::take(&mut self.0));
        TIMES.lock().push(time);
    }
}

// === impl Asked ===

impl Asked {
    /// Reads the arguments. libtest takes several names, libtest-mimic one: they are kept apart here.
    pub fn of(words: impl Iterator<Item = String>) -> Self {
        const WITH_VALUE: [&str; 6] = [
            "--test-threads",
            "--skip",
            "--logfile",
            "--color",
            "--format",
            "-Z",
        ];
        let (mut options, mut filters, mut is_value) = (Vec::new(), Vec::new(), true);
        for word in words {
            // The first is the program.
            if is_value || word.starts_with('-') {
                is_value = WITH_VALUE.contains(&word.as_str());
                options.push(word);
            } else {
                filters.push(word);
            }
        }
        Self {
            options: Arguments::from_iter(options),
            filters,
        }
    }

    /// Whether a test was asked for by a name that stands for few: `lab/mtu-black-hole`, not `lab`.
    pub fn names(&self, test: &str) -> bool {
        let few = self.filters.iter().filter(|filter| filter.contains('-'));
        few.into_iter()
            .any(|filter| test.contains(filter.as_str()) || filter == test)
    }

    /// Runs what was asked for of all tests, and prints the slowest.
    pub fn run(self, mut trials: Vec<Trial>) -> ExitCode {
        let Self { options, filters } = self;
        let is_asked_for = |trial: &Trial| {
            filters.iter().any(|filter| {
                trial.name() == filter || !options.exact && trial.name().contains(filter.as_str())
            })
        };
        trials.retain(|trial| filters.is_empty() || is_asked_for(trial));
        let conclusion = run(&options, trials);
        print_slowest();
        conclusion.exit_code()
    }
}

fn print_slowest() {
    let mut times = TIMES.lock();
    if times.len() < 2 {
        return;
    }
    times.sort_unstable_by(|one, other| other.cmp(one));
    println!("the slowest of {}:", times.len());
    for (time, name) in times.iter().take(SLOWEST) {
        println!("  {:>7.2} s  {name}", time.as_secs_f64());
    }
    println!();
}
