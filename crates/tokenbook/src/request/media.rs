//! Pictures in requests: their size from the first bytes, and what providers charge for it.

/// A picture, with its size in pixels where the request holds it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Image {
    pub(super) size: Option<(u32, u32)>,
    /// Whether low detail was asked for (OpenAI).
    pub(super) low_detail: bool,
}

/// The tokens of a picture for Claude: width × height ÷ 750 after shrinking to 1568 pixels on the long edge and about
/// 1.15 megapixels.
///
/// Source: <https://docs.claude.com/en/docs/build-with-claude/vision>, November 2026.
pub(super) fn claude_tokens((width, height): (u32, u32)) -> u64 {
    let (mut width, mut height) = (u64::from(width.max(1)), u64::from(height.max(1)));
    let edge = width.max(height);
    if edge > 1568 {
        (width, height) = ((width * 1568 / edge).max(1), (height * 1568 / edge).max(1));
    }
    (width * height).div_ceil(750).clamp(1, 1600)
}

/// The tokens of a picture for OpenAI's models that count tiles of 512 pixels: `base + tile × tiles`.
///
/// Source: <https://platform.openai.com/docs/guides/images-vision>, November 2026.
pub(super) fn tiled_tokens((width, height): (u32, u32), base: u64, tile: u64) -> u64 {
    let (mut width, mut height) = (u64::from(width.max(1)), u64::from(height.max(1)));
    let edge = width.max(height);
    if edge > 2048 {
        (width, height) = ((width * 2048 / edge).max(1), (height * 2048 / edge).max(1));
    }
    let edge = width.min(height);
    if edge > 768 {
        (width, height) = (width * 768 / edge, height * 768 / edge);
    }
    base + tile * width.div_ceil(512) * height.div_ceil(512)
}

/// The tokens of a picture for Gemini up to 2.5: 258 for a small one or for each tile of a larger one.
///
/// Source: <https://ai.google.dev/gemini-api/docs/image-understanding>, November 2026; no recording has one.
pub(super) fn gemini_tokens((width, height): (u32, u32)) -> u64 {
    if width <= 384 && height <= 384 {
        return 258;
    }
    let unit = (width.min(height) * 2 / 3).max(1);
    258 * u64::from(width.div_ceil(unit)) * u64::from(height.div_ceil(unit))
}

/// The width and height of a PNG, JPEG, GIF or WebP picture given in base64.
pub(super) fn size_of_base64(data: &str) -> Option<(u32, u32)> {
    // A JPEG's size stands behind its metadata, which can be long.
    let bytes = decode(data, 256 * 1024);
    png(&bytes)
        .or_else(|| gif(&bytes))
        .or_else(|| webp(&bytes))
        .or_else(|| jpeg(&bytes))
        .filter(|&(w, h)| w > 0 && h > 0)
}

/// The size of a picture in a `data:` URL.
pub(super) fn size_of_url(url: &str) -> Option<(u32, u32)> {
    let (_, data) = url.strip_prefix("data:")?.split_once(";base64,")?;
    size_of_base64(data)
}

fn png(bytes: &[u8]) -> Option<(u32, u32)> {
    let header = bytes.strip_prefix(b"\x89PNG\r\n\x1a\n")?;
    (header.get(4..8)? == b"IHDR").then_some(())?;
    Some((big(header.get(8..12)?), big(header.get(12..16)?)))
}

fn gif(bytes: &[u8]) -> Option<(u32, u32)> {
    bytes.strip_prefix(b"GIF8")?;
    Some((little(bytes.get(6..8)?), little(bytes.get(8..10)?)))
}

fn webp(bytes: &[u8]) -> Option<(u32, u32)> {
    (bytes.get(..4)? == b"RIFF" && bytes.get(8..12)? == b"WEBP").then_some(())?;
    match bytes.get(12..16)? {
        b"VP8 " => Some((little(bytes.get(26..28)?) & 0x3fff, little(bytes.get(28..30)?) & 0x3fff)),
        b"VP8L" => {
            let bits = little(bytes.get(21..25)?);
            Some(((bits & 0x3fff) + 1, (bits >> 14 & 0x3fff) + 1))
        }
        b"VP8X" => Some((little(bytes.get(24..27)?) + 1, little(bytes.get(27..30)?) + 1)),
        _ => None,
    }
}

fn jpeg(bytes: &[u8]) -> Option<(u32, u32)> {
    let mut rest = bytes.strip_prefix(b"\xff\xd8")?;
    loop {
        while rest.first() == Some(&0xff) && rest.get(1) == Some(&0xff) {
            rest = &rest[1..];
        }
        let [0xff, marker, high, low, ..] = *rest else { return None };
        let length = usize::from(u16::from_be_bytes([high, low]));
        // Start of frame, but not the tables that share its range of numbers.
        if matches!(marker, 0xc0..=0xcf) && !matches!(marker, 0xc4 | 0xc8 | 0xcc) {
            return Some((big(rest.get(7..9)?), big(rest.get(5..7)?)));
        }
        rest = rest.get(2 + length..)?;
    }
}

fn big(bytes: &[u8]) -> u32 {
    bytes.iter().fold(0, |value, &byte| value << 8 | u32::from(byte))
}

fn little(bytes: &[u8]) -> u32 {
    bytes.iter().rev().fold(0, |value, &byte| value << 8 | u32::from(byte))
}

/// Decodes the first bytes of base64, in either alphabet; stops at what is neither.
fn decode(data: &str, limit: usize) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(limit.min(data.len()));
    let (mut bits, mut held) = (0_u32, 0);
    for byte in data.bytes() {
        let value = match byte {
            b'A'..=b'Z' => byte - b'A',
            b'a'..=b'z' => byte - b'a' + 26,
            b'0'..=b'9' => byte - b'0' + 52,
            b'+' | b'-' => 62,
            b'/' | b'_' => 63,
            b'\r' | b'\n' => continue,
            _ => break,
        };
        bits = bits << 6 | u32::from(value);
        held += 6;
        if held >= 8 {
            held -= 8;
            bytes.push((bits >> held & 0xff) as u8);
            if bytes.len() == limit {
                break;
            }
        }
    }
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_size_of_a_png_is_read_from_base64() {
        let pixel = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==";
        assert_eq!(size_of_base64(pixel), Some((1, 1)));
        assert_eq!(size_of_url(&format!("data:image/png;base64,{pixel}")), Some((1, 1)));
    }

    #[test]
    fn the_size_of_a_gif_is_read() {
        assert_eq!(size_of_base64("R0lGODlhAgADAIAAAAAAAP///yH5BAEAAAAALAAAAAABAAEAAAIBRAA7"), Some((2, 3)));
    }

    #[test]
    fn the_size_of_a_jpeg_stands_in_its_frame_header() {
        let bytes = [0xff, 0xd8, 0xff, 0xe0, 0, 4, 0, 0, 0xff, 0xc2, 0, 11, 8, 0x01, 0x02, 0x03, 0x04, 3];
        assert_eq!(jpeg(&bytes), Some((0x0304, 0x0102)));
    }

    #[test]
    fn the_size_of_a_webp_is_read() {
        let mut bytes = b"RIFF\0\0\0\0WEBPVP8X\x0a\0\0\0\0\0\0\0".to_vec();
        bytes.extend([99, 0, 0, 49, 0, 0]);
        assert_eq!(webp(&bytes), Some((100, 50)));
    }

    #[test]
    fn broken_pictures_have_no_size() {
        for data in ["", "aGVsbG8=", "/9j/", "iVBORw0KGgo="] {
            assert_eq!(size_of_base64(data), None, "{data}");
        }
    }

    #[test]
    fn large_pictures_are_charged_as_shrunk_ones() {
        assert_eq!(claude_tokens((1000, 1000)), 1334);
        assert_eq!(claude_tokens((4000, 4000)), 1600);
        assert_eq!(tiled_tokens((1024, 1024), 85, 170), 765);
        assert_eq!(tiled_tokens((2048, 4096), 85, 170), 1105);
    }
}
