//! Prints the results of the other benches. Cargo runs it last, since it runs benches by name.

fn main() {
    peers::table::print();
}
