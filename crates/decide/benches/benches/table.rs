//! Prints what the other benches have measured; Cargo runs it after them, since it runs them by name.

fn main() {
    peers::table::print();
}
