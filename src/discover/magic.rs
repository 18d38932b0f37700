//! What a file is, told by its first bytes and never by its name.

use super::Packing;

/// Bytes looked at: one block of common file systems, and enough for every magic number below.
pub(crate) const HEAD: usize = 4096;

/// What files begin with that are no logs (or that we cannot read), and the reason to give.
///
/// Nothing here may be plain text that a stranger could get into the first line of a log to hide it.
const KNOWN: &[(&[u8], &str)] = &[
    (b"LPKSHHRH", "a systemd journal, not a text log (export it with journalctl)"),
    (b"\x7fELF", "a program (ELF)"),
    (b"SQLite format 3\0", "an SQLite database"),
    (b"PK\x03\x04", "a zip archive"),
    (b"PK\x05\x06", "a zip archive"),
    (b"7z\xbc\xaf\x27\x1c", "a 7z archive"),
    (b"Rar!\x1a\x07", "a RAR archive"),
    (b"!<arch>\n", "an ar archive or Debian package"),
    (b"\xed\xab\xee\xdb", "an RPM package"),
    (b"\x04\x22\x4d\x18", "LZ4 data, which is not supported"),
    (b"\x5d\x00\x00", "LZMA data, which is not supported"),
    (b"LZIP\x01", "lzip data, which is not supported"),
    (b"\x1f\x9d", "compress (.Z) data, which is not supported"),
    (b"\x89PNG\r\n\x1a\n", "a PNG image"),
    (b"\xff\xd8\xff", "a JPEG image"),
    (b"GIF89a", "a GIF image"),
    (b"%PDF-", "a PDF document"),
    (b"\xca\xfe\xba\xbe", "a program (Java or Mach-O)"),
    (b"\xd4\xc3\xb2\xa1", "a packet capture"),
    (b"\xa1\xb2\xc3\xd4", "a packet capture"),
    (b"ElfFile\0", "a Windows event log (EVTX), not a text log"),
    (b"\xff\xfe\x00\x00", "UTF-32 text, which is not supported"),
    (b"\x00\x00\xfe\xff", "UTF-32 text, which is not supported"),
];

const GZIP: &[u8] = b"\x1f\x8b\x08";
const XZ: &[u8] = b"\xfd7zXZ\0";
const ZSTD: &[u8] = b"\x28\xb5\x2f\xfd";
/// Behind the first byte, `0x50`–`0x5f`.
const ZSTD_SKIPPABLE: &[u8] = b"\x2a\x4d\x18";
/// What follows `BZh1`–`BZh9`: the first block, or the end of an empty stream.
const BZIP2_BLOCKS: [&[u8]; 2] = [b"\x31\x41\x59\x26\x53\x59", b"\x17\x72\x45\x38\x50\x90"];

/// Bytes of a line that does not come about by chance.
const CLEAN: usize = 24;

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
    if let Some((_, reason)) = KNOWN.iter().find(|(magic, _)| head.starts_with(magic)) {
        return Err(reason);
    }
    if is_tar(head) {
        return Err("a tar archive");
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

/// The magic number is text, and a request could put it there; the fields in front of it are filled up with NULs.
fn is_tar(head: &[u8]) -> bool {
    let named = head.get(257..).is_some_and(|rest| rest.starts_with(b"ustar"));
    named && head.get(..257).is_some_and(|fields| fields.contains(&0) && !fields.contains(&b'\n'))
}

/// A type from 1 to 9 in two bytes, padding, a process id, and a terminal's name filled up with NULs.
fn is_login_record(head: &[u8]) -> bool {
    let Some(record) = head.get(..LOGIN_RECORD) else { return false };
    let line = record.get(8..40).unwrap_or_default();
    let named = line.iter().take_while(|byte| byte.is_ascii_graphic()).count();
    matches!(record, [1..=9, 0, 0, 0, ..]) && line.iter().skip(named).all(|&byte| byte == 0)
}

/// Whether this looks like text, perhaps damaged text: some clean lines are enough, so that a stranger's binary
/// junk between them cannot hide a log. Else NULs in a row are padding and count once, however many, and control
/// characters may make up a tenth.
pub(super) fn is_text(head: &[u8]) -> Result<(), &'static str> {
    let clean = |line: &&[u8]| line.len() >= CLEAN && is_clean(line);
    if head.split(|&byte| byte == b'\n').filter(clean).take(2).count() == 2 {
        return Ok(());
    }
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

/// Whether a line holds text only.
fn is_clean(line: &[u8]) -> bool {
    let line = line.strip_suffix(b"\r").unwrap_or(line);
    line.iter().all(|&byte| byte == b'\t' || (byte >= b' ' && byte != 0x7f))
        && std::str::from_utf8(line).is_ok()
}
