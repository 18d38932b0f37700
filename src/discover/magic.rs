//! What a file is, told by its first bytes and never by its name.

use super::Packing;

/// Bytes looked at: one block of common file systems, and enough for every magic number below.
pub(crate) const HEAD: usize = 4096;

/// Magic numbers of files that are no logs (or that we cannot read): offset, bytes, reason.
const KNOWN: &[(usize, &[u8], &str)] = &[
    (0, b"LPKSHHRH", "a systemd journal, not a text log (export it with journalctl)"),
    (0, b"\x7fELF", "a program (ELF)"),
    (0, b"SQLite format 3\0", "an SQLite database"),
    (0, b"PK\x03\x04", "a zip archive"),
    (0, b"PK\x05\x06", "a zip archive"),
    (257, b"ustar", "a tar archive"),
    (0, b"7z\xbc\xaf\x27\x1c", "a 7z archive"),
    (0, b"Rar!\x1a\x07", "a RAR archive"),
    (0, b"!<arch>\n", "an ar archive or Debian package"),
    (0, b"\xed\xab\xee\xdb", "an RPM package"),
    (0, b"\x04\x22\x4d\x18", "LZ4 data, which is not supported"),
    (0, b"\x5d\x00\x00", "LZMA data, which is not supported"),
    (0, b"LZIP", "lzip data, which is not supported"),
    (0, b"\x1f\x9d", "compress (.Z) data, which is not supported"),
    (0, b"\x89PNG\r\n\x1a\n", "a PNG image"),
    (0, b"\xff\xd8\xff", "a JPEG image"),
    (0, b"GIF8", "a GIF image"),
    (0, b"%PDF-", "a PDF document"),
    (0, b"\xca\xfe\xba\xbe", "a program (Java or Mach-O)"),
    (0, b"\xd4\xc3\xb2\xa1", "a packet capture"),
    (0, b"\xa1\xb2\xc3\xd4", "a packet capture"),
    (0, b"\x0a\x0d\x0d\x0a", "a packet capture"),
    (0, b"ElfFile\0", "a Windows event log (EVTX), not a text log"),
    (0, b"\xff\xfe\x00\x00", "UTF-32 text, which is not supported"),
    (0, b"\x00\x00\xfe\xff", "UTF-32 text, which is not supported"),
];

const GZIP: &[u8] = b"\x1f\x8b\x08";
const XZ: &[u8] = b"\xfd7zXZ\0";
const ZSTD: &[u8] = b"\x28\xb5\x2f\xfd";
/// Behind the first byte, `0x50`–`0x5f`.
const ZSTD_SKIPPABLE: &[u8] = b"\x2a\x4d\x18";
/// What follows `BZh1`–`BZh9`: the first block, or the end of an empty stream.
const BZIP2_BLOCKS: [&[u8]; 2] = [b"\x31\x41\x59\x26\x53\x59", b"\x17\x72\x45\x38\x50\x90"];

/// Bytes of a login record (`struct utmp` on Linux).
const LOGIN_RECORD: usize = 384;

/// How a file is packed that begins with `head` (up to [`HEAD`] bytes).
///
/// # Errors
///
/// Why it is no log.
pub(crate) fn packing_of(head: &[u8]) -> Result<Packing, &'static str> {
    let packed = [Packing::Gzip, Packing::Bzip2, Packing::Xz, Packing::Zstd];
    // A prefix of two bytes is too little to tell: such a file is better taken for a short text.
    if let Some(packing) =
        packed.into_iter().find(|&p| starts_member(p, head).is_some_and(|whole| whole || head.len() > 2))
    {
        return Ok(packing);
    }
    if let Some((.., reason)) =
        KNOWN.iter().find(|(at, magic, _)| head.get(*at..).is_some_and(|h| h.starts_with(magic)))
    {
        return Err(reason);
    }
    if head.starts_with(b"\xff\xfe") || head.starts_with(b"\xfe\xff") {
        return Ok(Packing::Utf16);
    }
    if is_login_record(head) {
        return Err("login records (utmp, wtmp or btmp), not a text log");
    }
    is_text(head).map(|()| Packing::Plain)
}

/// Whether a member of this packing begins here: `Some(false)` if `bytes` end within its magic number.
pub(crate) fn starts_member(packing: Packing, bytes: &[u8]) -> Option<bool> {
    let begins = |magic: &[u8]| {
        let shared = bytes.len().min(magic.len());
        (shared > 0 && bytes.get(..shared) == magic.get(..shared)).then_some(shared == magic.len())
    };
    match packing {
        Packing::Gzip => begins(GZIP),
        Packing::Xz => begins(XZ),
        Packing::Zstd => begins(ZSTD).or_else(|| match bytes.split_first() {
            Some((0x50..=0x5f, [])) => Some(false),
            Some((0x50..=0x5f, rest)) => {
                let shared = rest.len().min(ZSTD_SKIPPABLE.len());
                (rest.get(..shared) == ZSTD_SKIPPABLE.get(..shared)).then_some(shared == ZSTD_SKIPPABLE.len())
            }
            _ => None,
        }),
        Packing::Bzip2 => match bytes {
            [b'B', b'Z', b'h', b'1'..=b'9', rest @ ..] => {
                let fits = |magic: &&[u8]| rest.iter().zip(*magic).all(|(a, b)| a == b);
                BZIP2_BLOCKS.iter().any(fits).then_some(!rest.is_empty())
            }
            _ => begins(b"BZh").filter(|whole| !whole || bytes.len() == 3).map(|_| false),
        },
        Packing::Plain | Packing::Utf16 => None,
    }
}

/// A type from 1 to 9 in two bytes, padding, a process id, and a terminal's name filled up with NULs.
fn is_login_record(head: &[u8]) -> bool {
    let Some(record) = head.get(..LOGIN_RECORD) else { return false };
    let line = record.get(8..40).unwrap_or_default();
    let named = line.iter().take_while(|byte| byte.is_ascii_graphic()).count();
    matches!(record, [1..=9, 0, 0, 0, ..]) && line.iter().skip(named).all(|&byte| byte == 0)
}

/// Whether this looks like text, perhaps damaged text: NULs in a row are padding and count once, however many;
/// control characters may make up a tenth.
pub(super) fn is_text(head: &[u8]) -> Result<(), &'static str> {
    let start = head.iter().take_while(|&&byte| byte == 0).count();
    let (mut nuls, mut controls, mut shown, mut high) = (0usize, 0usize, 0usize, 0usize);
    let mut previous = 0;
    for &byte in head.iter().skip(start) {
        match byte {
            0 if previous == 0 => {}
            0 => nuls += 1,
            b'\t' | b'\n' | b'\r' | 0x1b => shown += 1,
            1..=0x1f | 0x7f => controls += 1,
            0x80.. => high += 1,
            _ => shown += 1,
        }
        previous = byte;
    }
    let all = nuls + controls + shown + high;
    if nuls > 0 && controls > 0 && !head.contains(&b'\n') {
        return Err("binary records");
    }
    if head.last() == Some(&0) {
        // The padding behind the text is no sign of anything.
        nuls = nuls.saturating_sub(1);
    }
    if nuls > 1 && nuls * 10 > all {
        return Err("binary data, or UTF-16 without a byte order mark");
    }
    let garbled =
        high * 4 > all && std::str::from_utf8(head).is_err_and(|e| e.valid_up_to() + 4 < head.len());
    if (nuls + controls) * 10 > all && nuls + controls > 1 || (garbled && (nuls + controls) * 25 > all) {
        return Err("binary data");
    }
    Ok(())
}
