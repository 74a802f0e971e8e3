#!/usr/bin/env bash
# A setting for one package in a cargo profile turns that profile's `strip = "symbols"` off, without a word.
#
# Expected: `[profile.release] strip = "symbols"` strips every binary of the profile. A section
#   `[profile.release.package.NAME]` that sets `codegen-units` changes the code generation of that package alone; the
#   manual lists `strip` among what such a section cannot say, so it should have no part in it.
# Seen: as soon as the package that has the binary has such a section, whatever it sets, the binary keeps its table of
#   symbols. Cargo hands rustc `-C strip=debuginfo` instead of `-C strip=symbols`, and neither warns nor errs.
# Why it matters for a supervisor: its binary is copied into images and to many machines, and is a sixth larger than
#   its manifest says; a size that was measured once stays believed. `profile.NAME.strip` holds again when the setting is
#   made for the whole profile instead.
# Versions: cargo 1.95.0, rustc 1.95.0, binutils 2.40.
# Source: cargo, src/cargo/core/profiles.rs, where a package's profile is merged from the profile and its overrides.
# Output seen:
#   strip for the profile: -C strip=symbols, no symbols
#   with codegen-units for the package: -C strip=debuginfo, symbols
set -euo pipefail

for tool in cargo nm; do
    command -v "$tool" >/dev/null || { echo "cannot run: $tool is missing"; exit 2; }
done
cargo --version

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
mkdir "$folder/src"
echo 'fn main() { println!("{:?}", std::env::args()); }' >"$folder/src/main.rs"

# Builds with these lines behind `strip`, and says how the binary was stripped.
build() {
    printf '[package]\nname = "tool"\nversion = "0.1.0"\nedition = "2024"\n[profile.release]\nstrip = "symbols"\n%s' "$2" \
        >"$folder/Cargo.toml"
    rm -rf "$folder/target"
    flag=$(cargo build --release --verbose --manifest-path "$folder/Cargo.toml" 2>&1 | grep -o -- '-C strip=[a-z]*')
    symbols=symbols
    nm "$folder/target/release/tool" 2>&1 | grep -q 'no symbols' && symbols='no symbols'
    echo "$1: $flag, $symbols"
}

seen=$(
    build 'strip for the profile' ''
    build 'with codegen-units for the package' $'[profile.release.package.tool]\ncodegen-units = 1\n'
)
echo "$seen"

expected='strip for the profile: -C strip=symbols, no symbols
with codegen-units for the package: -C strip=debuginfo, symbols'
[ "$seen" = "$expected" ] || { echo "changed: cargo strips otherwise"; exit 1; }
echo "as stated"
