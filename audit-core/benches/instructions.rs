//! Runs one core so many times, to have its instructions counted by `scripts/instructions`.
#![allow(missing_docs, unreachable_pub, clippy::print_stdout)]

mod cores;

fn main() {
    let mut arguments = std::env::args()
        .skip(1)
        .filter(|argument| argument != "--bench");
    let (name, times) = (arguments.next(), arguments.next());
    let times: usize = times
        .and_then(|times| times.parse().ok())
        .unwrap_or_default();
    for (known, mut core) in cores::cores() {
        match &name {
            None => println!("{known}"),
            Some(name) if name == known => (0..times).for_each(|_| core()),
            Some(_) => {}
        }
    }
}
