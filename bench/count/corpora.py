"""Makes the corpora of the benchmark from what packages carry, into the folder given; nothing of them is committed.

Sources: Debian packages (fetched by name with apt-get, not installed), the Rust and Python installations of this
machine, Cargo's registry folder, and installed Python packages. Missing ones are said and left out.
"""

import gzip
import html
import pathlib
import random
import re
import subprocess
import sys
import sysconfig

LIMIT = 4_000_000
DEBIAN = {
    "prose_en": ["fortunes", "debian-handbook", "debian-reference-en"],
    "cjk": ["manpages-ja", "manpages-zh", "debian-reference-ja", "aptitude-doc-ja"],
    "cyrillic": ["fortunes-ru", "manpages-ru", "aptitude-doc-ru"],
}


def debian(package, work):
    """The files of a Debian package."""
    folder = work / package
    if not folder.exists():
        folder.mkdir(parents=True)
        if subprocess.run(["apt-get", "download", package], cwd=folder, capture_output=True).returncode:
            print(f"corpora: no Debian package {package}", file=sys.stderr)
            return []
        for archive in folder.glob("*.deb"):
            subprocess.run(["dpkg-deb", "-x", archive, folder], check=True)
            archive.unlink()
    return sorted(path for path in folder.rglob("*") if path.is_file() and not path.is_symlink())


def text_of(path):
    """Plain text of a file: tags and entities of HTML and the markup of manual pages are taken out."""
    data = path.read_bytes()
    if path.suffix == ".gz":
        data = gzip.decompress(data)
        path = path.with_suffix("")
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError:
        return ""
    if "\0" in text:
        return ""
    if path.suffix in (".html", ".xhtml", ".htm"):
        text = re.sub(r"(?s)<(script|style).*?</\1>", "", text)
        text = html.unescape(re.sub(r"<[^>]*>", "", text))
        return re.sub(r"\n\s*\n+", "\n\n", text)
    if re.fullmatch(r"\.[1-8]\w*", path.suffix):
        text = re.sub(r'(?m)^[.\'](\\".*|\w\w ?)', "", text)
        return re.sub(r"\\f.|\\&", "", text).replace("\\-", "-")
    if "fortune" in str(path) and path.suffix in ("", ".u8"):
        return text
    return ""


def gather(texts, limit=LIMIT):
    out, size = [], 0
    for text in texts:
        if size >= limit:
            break
        size += len(text.encode())
        out.append(text)
    return "".join(out)


def shuffled(paths, seed=1):
    paths = sorted(paths)
    random.Random(seed).shuffle(paths)
    return paths


def readable(paths):
    for path in paths:
        try:
            text = path.read_text("utf-8")
        except (UnicodeDecodeError, OSError):
            continue
        if 200 < len(text) < 400_000:
            yield text


def messages(path):
    """The translations in a compiled gettext catalogue."""
    data = path.read_bytes()
    order = "little" if data[:4] == b"\xde\x12\x04\x95" else "big"

    def word(at):
        return int.from_bytes(data[at : at + 4], order)

    table = word(16)
    for index in range(1, word(8)):
        length, start = word(table + 8 * index), word(table + 8 * index + 4)
        yield data[start : start + length].decode("utf-8", "ignore").replace("\0", "\n")


def mixed():
    languages = [
        "ar",
        "bn",
        "el",
        "fa",
        "gu",
        "he",
        "hi",
        "hy",
        "ka",
        "kn",
        "ko",
        "ml",
        "mr",
        "pa",
        "ta",
        "te",
        "th",
        "uk",
        "ur",
        "vi",
        "zh_TW",
        "ja",
        "de",
        "fr",
        "cs",
    ]
    per, out = LIMIT // len(languages), []
    for language in languages:
        paths = shuffled(pathlib.Path("/usr").rglob(f"{language}/LC_MESSAGES/*.mo"))
        out.append(gather((line + "\n" for path in paths for line in messages(path)), per))
    random.Random(2).shuffle(out)
    return "".join(out)


def chat(corpora):
    """Short messages of 50 to 500 bytes, cut at line ends from the other corpora, as JSON lines."""
    rng, out = random.Random(3), []
    for name, share in (("prose_en", 5), ("markdown", 2), ("code", 2), ("cjk", 1), ("cyrillic", 1), ("utf8_mixed", 1)):
        lines = corpora.get(name, "").splitlines()
        for _ in range(share * 1000 if lines else 0):
            at, text, want = rng.randrange(len(lines)), "", rng.randint(50, 500)
            while at < len(lines) and len(text.encode()) < want:
                text += lines[at] + "\n"
                at += 1
            text = text.encode()[:500].decode("utf-8", "ignore").strip()
            if len(text.encode()) >= 50:
                out.append(text)
    rng.shuffle(out)
    return out


def long_inputs(folder):
    """Texts of 1 MB that are slow for many, each a file."""
    folder.mkdir(exist_ok=True)
    draw, size = random.Random(4), 1_000_000
    inputs = {
        "one letter": "a" * size,
        "one emoji": "\U0001f600" * (size // 4),
        "spaces": " " * size,
        "newlines": "\n" * size,
        "digits": "1234567890" * (size // 10),
        "equals signs": "=" * size,
        "combining marks": "\u0301" * (size // 2),
    }
    letters = {
        "base64": "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/",
        "random letters": "abcdefghijklmnopqrstuvwxyz",
        "random capitals": "ABCDEFGHIJKLMNOPQRSTUVWXYZ",
        "random ideographs": "".join(map(chr, range(0x4E00, 0xA000))),
        "random punctuation": "!#$%&()*+,-.:;<=>?@[]^_{|}~",
        "two letters": "ab",
        "mixed white space": " \t\n\r\u00a0\u3000",
    }
    for name, those in letters.items():
        text = "".join(draw.choices(those, k=size)).encode()
        inputs[name] = text[:size].decode("utf-8", "ignore")
    signs = "".join(draw.choice("*#=-_.") * draw.randint(1, 300) + draw.choice("!<>&") for _ in range(size // 150))
    inputs["runs of signs"] = signs.ljust(size, "~")[:size]
    for name, text in inputs.items():
        (folder / f"{name}.txt").write_text(text, "utf-8", newline="")


def main(folder):
    folder = pathlib.Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    work = folder / "packages"
    corpora = {}
    for name, packages in DEBIAN.items():
        paths = [path for package in packages for path in debian(package, work)]
        if name == "prose_en":
            paths = [path for path in paths if "debian-handbook" not in str(path) or "en-US" in str(path)]
        corpora[name] = gather(text_of(path) for path in shuffled(paths))
    home = pathlib.Path.home()
    rust = next(iter(sorted(home.glob(".rustup/toolchains/stable*"))), home)
    registry = home / ".cargo/registry/src"
    book = (text_of(path) for path in shuffled(rust.glob("share/doc/rust/html/book/*.html")))
    corpora["prose_en"] += gather(book, LIMIT // 4)
    library = pathlib.Path(sysconfig.get_paths()["stdlib"])
    code = [
        *shuffled(library.glob("*.py"))[:120],
        *shuffled(registry.rglob("src/*.rs"))[:150],
        *shuffled(home.rglob("node_modules/**/*.js"))[:60],
    ]
    code += shuffled(pathlib.Path("/usr/include").rglob("*.h"))[:60]
    corpora["code"] = gather(readable(shuffled(code)))
    packages = pathlib.Path(sysconfig.get_paths()["purelib"])
    json_files = [
        *packages.rglob("*.json"),
        *pathlib.Path("/usr/lib").rglob("*.json"),
        *pathlib.Path("/usr/local/lib").rglob("*.json"),
    ]
    corpora["json"] = gather(readable(shuffled(json_files)))
    corpora["markdown"] = gather(readable(shuffled(registry.rglob("*.md"))))
    corpora["utf8_mixed"] = mixed()
    for name, text in corpora.items():
        (folder / f"{name}.txt").write_text(text, "utf-8", newline="")
        print(f"{name:12} {len(text.encode()) / 1e6:6.2f} MB")
    import json

    long_inputs(folder / "long")
    lines = chat(corpora)
    (folder / "chat.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines), "utf-8")
    print(f"{'chat':12} {sum(len(line.encode()) for line in lines) / 1e6:6.2f} MB in {len(lines)} messages")


if __name__ == "__main__":
    main(sys.argv[1])
