# The commands a contributor types. `just` lists them; https://just.systems says how to install it.

# List the commands
default:
    @just --list

# Replay 18 months of real orders and show what the programme did
demo:
    cargo run -- demo

# Serve the whole API on this machine, over a database in .regulars/dev.db
dev *options:
    cargo run -- dev {{ options }}

# Run all tests
test *options:
    cargo test --workspace {{ options }}

# Check the format, and lint with warnings as errors
check:
    cargo fmt --all -- --check
    cargo clippy --workspace --all-targets -- -D warnings

# Prove that nothing is lost and nothing doubled: all parts, or the one that is named
proof part="all" *options:
    cargo run --release -p proof -- {{ part }} {{ options }}

# Run the proof in its long form, for a night
proof-long part="all" *options:
    cargo run --release -p proof -- {{ part }} --long {{ options }}

# Run the hostile sheets as they run in production, within their bounds of time and memory
hostile:
    cargo test --release --workspace --test hostile -- --nocapture

# Measure the rules beside other engines; needs Valgrind and Node
bench:
    cd crates/decide/benches && cargo bench

# Write the reference of the rule language, rules/LANGUAGE.md
reference:
    cargo run -- reference

# Check the advisories, licences and sources of all dependencies; needs cargo-deny
audit-dependencies:
    cargo deny check

# Find misspelt words; needs typos (pip install typos)
spelling:
    typos

# Run everything that has to hold before a change lands
ci:
    bash .ci/run
