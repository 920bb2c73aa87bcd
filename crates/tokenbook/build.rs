//! Expands the committed vocabularies and character classes into the tables that the engine reads in place.
#![expect(clippy::cast_possible_truncation, reason = "ids have 18 bits, and a token at most 128 bytes")]

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::{env, fs};

#[path = "build/codec.rs"]
mod codec;
#[path = "build/expand.rs"]
mod expand;
#[path = "src/text/hash.rs"]
mod hash;

use expand::{Expanded, expand};

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rerun-if-changed=build");
    println!("cargo::rerun-if-changed=src/text/hash.rs");
    println!("cargo::rerun-if-changed=data/vocab");
    let mut out = Out::new();
    // A page fetches the vocabularies that it needs, and expands them itself.
    let in_browser = env::var_os("CARGO_CFG_TARGET_FAMILY").is_some_and(|family| family == "wasm");
    let names: &[&str] = if in_browser { &[] } else { &["r50k_base", "cl100k_base", "o200k_base"] };
    for name in names {
        let data = fs::read(format!("data/vocab/{name}.merges")).expect("the vocabulary is in the package");
        let tables = expand(&data, *name == "r50k_base");
        out.vocabulary(&name[..name.len() - 5].to_uppercase(), &tables);
    }
    let ranges = fs::read_to_string("data/vocab/unicode-classes.txt").expect("the classes are in the package");
    out.classes(&ranges);
    let ranges = fs::read_to_string("data/vocab/unicode-unprinted.txt").expect("the ranges are in the package");
    out.ranges("UNPRINTED", &ranges);
    out.finish();
}

struct Out {
    folder: PathBuf,
    code: String,
    big_endian: bool,
}

impl Out {
    fn new() -> Self {
        let folder = PathBuf::from(env::var_os("OUT_DIR").expect("cargo sets OUT_DIR"));
        let big_endian = env::var_os("CARGO_CFG_TARGET_ENDIAN").is_some_and(|endian| endian == "big");
        Self { folder, code: String::new(), big_endian }
    }

    fn bytes(&mut self, name: &str, bytes: &[u8]) {
        self.file(name, bytes);
        let length = bytes.len();
        writeln!(
            self.code,
            "static {name}: &[u8; {length}] = include_bytes!(concat!(env!(\"OUT_DIR\"), \"/{name}.bin\"));"
        )
        .expect("writing to a string");
    }

    fn words(&mut self, name: &str, kind: &str, length: usize, bytes: &[u8]) {
        self.file(name, bytes);
        writeln!(self.code, "static {name}: Aligned<[{kind}; {length}]> = table!({kind}, {length}, \"/{name}.bin\");")
            .expect("writing to a string");
    }

    fn file(&self, name: &str, bytes: &[u8]) {
        fs::write(self.folder.join(format!("{name}.bin")), bytes).expect("OUT_DIR is writable");
    }

    fn u16s(&mut self, name: &str, values: &[u16]) {
        let big = self.big_endian;
        let bytes: Vec<u8> =
            values.iter().flat_map(|value| if big { value.to_be_bytes() } else { value.to_le_bytes() }).collect();
        self.words(name, "u16", values.len(), &bytes);
    }

    fn u32s(&mut self, name: &str, values: &[u32]) {
        let big = self.big_endian;
        let bytes: Vec<u8> =
            values.iter().flat_map(|value| if big { value.to_be_bytes() } else { value.to_le_bytes() }).collect();
        self.words(name, "u32", values.len(), &bytes);
    }

    fn u64s(&mut self, name: &str, values: &[u64]) {
        self.words(name, "u64", values.len(), &self.u64_bytes(values));
    }

    fn arrays<const N: usize>(&mut self, name: &str, values: &[[u64; N]]) {
        self.words(name, &format!("[u64; {N}]"), values.len(), &self.u64_bytes(values.as_flattened()));
    }

    fn u64_bytes(&self, values: &[u64]) -> Vec<u8> {
        let big = self.big_endian;
        values.iter().flat_map(|value| if big { value.to_be_bytes() } else { value.to_le_bytes() }).collect()
    }

    fn vocabulary(&mut self, name: &str, tables: &Expanded) {
        self.bytes(&format!("{name}_BYTES"), &tables.bytes);
        self.u32s(&format!("{name}_STARTS"), &tables.starts);
        self.u32s(&format!("{name}_HALVES"), &tables.halves);
        self.u64s(&format!("{name}_MERGES"), &tables.merges);
        self.u16s(&format!("{name}_SEEDS"), &tables.seeds);
        self.u32s(&format!("{name}_BYTE_PAIRS"), &tables.byte_pairs);
        self.u32s(&format!("{name}_IDS"), &tables.ids);
        self.arrays(&format!("{name}_SHORT"), &tables.short);
        self.arrays(&format!("{name}_MEDIUM"), &tables.medium);
        self.u64s(&format!("{name}_JOINTS"), &tables.joints);
        self.u64s(&format!("{name}_ALONE"), &tables.alone);
        self.u32s(&format!("{name}_PAIRS"), &tables.pairs);
        self.u32s(&format!("{name}_SPOILERS"), &tables.spoilers);
        self.u32s(&format!("{name}_ATOMS"), &tables.atoms);
        self.bytes(&format!("{name}_SINGLES"), &tables.singles);
        writeln!(
            self.code,
            "pub(in crate::text) static {name}: Tables = Tables {{ bytes: {name}_BYTES, starts: &{name}_STARTS.0, halves: &{name}_HALVES.0, merges: &{name}_MERGES.0, seeds: &{name}_SEEDS.0, byte_pairs: &{name}_BYTE_PAIRS.0, ids: &{name}_IDS.0, singles: {name}_SINGLES, short: &{name}_SHORT.0, medium: &{name}_MEDIUM.0, joints: &{name}_JOINTS.0, alone: &{name}_ALONE.0, pairs: &{name}_PAIRS.0, spoilers: &{name}_SPOILERS.0, atoms: &{name}_ATOMS.0 }};"
        )
        .expect("writing to a string");
    }

    /// Two stages: a page number per 64 code points, and 64 classes per page.
    fn classes(&mut self, ranges: &str) {
        let mut classes = vec![0x80u8; 0x11_0000];
        for line in ranges.lines() {
            let fields: Vec<usize> =
                line.split(' ').map(|field| usize::from_str_radix(field, 16).expect("a hexadecimal number")).collect();
            classes[fields[0]..=fields[1]].fill(1 << (fields[2] - 1));
        }
        let mut pages: Vec<&[u8]> = Vec::new();
        let mut numbers = Vec::new();
        for page in classes.chunks(64) {
            let number = pages.iter().position(|known| *known == page).unwrap_or_else(|| {
                pages.push(page);
                pages.len() - 1
            });
            numbers.push(number as u16);
        }
        self.u16s("CLASS_PAGES", &numbers);
        let flat = pages.concat();
        self.bytes("CLASSES", &flat);
        self.code += "pub(in crate::text) static PAGES: &[u16; 17_408] = &CLASS_PAGES.0;\npub(in crate::text) static CLASS: &[u8] = CLASSES;\n";
    }

    /// Ranges of code points.
    fn ranges(&mut self, name: &str, lines: &str) {
        write!(self.code, "pub(in crate::text) static {name}: &[(u32, u32)] = &[").expect("writing to a string");
        for (first, last) in lines.lines().filter_map(|line| line.split_once(' ')) {
            write!(self.code, "(0x{first}, 0x{last}),").expect("writing to a string");
        }
        self.code += "];\n";
    }

    fn finish(self) {
        fs::write(Path::new(&self.folder).join("tables.rs"), self.code).expect("OUT_DIR is writable");
    }
}
