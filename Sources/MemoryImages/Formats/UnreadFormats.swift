/// Formats that are known and not read: each with what makes a readable file of it.
enum UnreadFormats {
  private static let known: [(at: UInt64, magic: [UInt8], name: String, advice: String)] = [
    (
      0, Array("QEVM".utf8), "a QEMU migration stream",
      "restore it (qemu-system-x86_64 -incoming \"exec:cat FILE\") and take the dump with "
        + "dump-guest-memory"
    ),
    (
      0, Array("LibvirtQemudSave".utf8),
      "a libvirt save (virsh save, or virsh dump without an option)",
      "virsh restore it, then virsh dump --memory-only DOMAIN FILE"
    ),
    (
      0, Array("LibvirtQemudPart".utf8), "a libvirt save that was not finished",
      "take it again with virsh dump --memory-only DOMAIN FILE"
    ),
    (
      0, Array("DISKDUMP".utf8), "a diskdump of an old kernel", "convert it with makedumpfile -d 0"
    ),
    (
      0, [0xed, 0x23, 0x8f, 0x61, 0x73, 0x01, 0x19, 0xa8], "an LKCD dump", "read it with crash"
    ),
    // kernel/power/swap.c, 6.12: `struct swsusp_header` ends the page.
    (
      4086, Array("S1SUSPEND".utf8), "a hibernation image",
      "resume it, and take a dump of the running machine with LiME or AVML"
    ),
  ]

  /// - Throws: `ImageError` where the file is of such a format.
  static func refuse(_ file: MappedFile) throws(ImageError) {
    for (at, magic, name, advice) in known where file.bytes(at: at, count: magic.count) == magic {
      throw ImageError(file.path, offset: at, "\(name), which is not read", advice: advice)
    }
  }
}
