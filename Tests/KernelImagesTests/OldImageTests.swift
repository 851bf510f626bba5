import KernelImages
import MemoryImages
import PageTables
import Support
import Testing

/// Memory images of kernels before 4.10, declared: what their notes lack, and where their log lies.
///
/// The kernel is linked to 0xffffffff81000000. Its first 2M page holds its tables and variables.
@Suite struct OldImageTests {
  private typealias Kernel = OldKernelImage
  private typealias Place = OldKernelImage.Place

  // MARK: - The root

  /// No NUMBER(phys_base), but where phys_base lies: the image is found where its tables lead to
  /// themselves.
  @Test(arguments: [0, 0x100_0000, 0x2a00_0000] as [UInt64])
  func physBaseIsFound(_ physBase: UInt64) throws {
    var kernel = Kernel(physBase: physBase)
    kernel.set("phys_base", 0x100, physBase, size: 8)
    let image = try kernel.read()
    #expect(image.problems == [])
    #expect(image.root == 0x100_1000 + physBase)
    #expect(image.facts.physBase?.value == physBase)
    #expect(image.facts.release?.value == "2.6.32-754.el6.x86_64")
    #expect(image.walk(Place.text).physical == 0x100_0000 + physBase)
  }

  @Test(arguments: ["init_level4_pgt", "init_top_pgt", "swapper_pg_dir"])
  func theTopTableHasThreeNames(_ name: String) throws {
    var kernel = Kernel(top: name)
    kernel.set("phys_base", 0x100, 0, size: 8)
    let image = try kernel.read()
    #expect(image.problems == [] && image.root == 0x100_1000)
  }

  @Test func aNoteWithoutAnyOfThemIsDamaged() throws {
    var kernel = Kernel(top: "something_else")
    kernel.lines = ["NUMBER(phys_base)=0"]
    #expect(throws: ImageError.self) { try kernel.read() }
  }

  /// The areas are those of the release: nothing else tells where vmalloc and vmemmap start.
  @Test(
    arguments: [
      ("2.6.26", 0xffff_8100_0000_0000, 0xffff_c200_0000_0000, 0xffff_e200_0000_0000),
      ("2.6.30", 0xffff_8800_0000_0000, 0xffff_c200_0000_0000, 0xffff_e200_0000_0000),
      ("2.6.32", 0xffff_8800_0000_0000, 0xffff_c900_0000_0000, 0xffff_ea00_0000_0000),
      ("4.4.0", 0xffff_8800_0000_0000, 0xffff_c900_0000_0000, 0xffff_ea00_0000_0000),
      ("4.9.300", 0xffff_8800_0000_0000, 0xffff_c900_0000_0000, 0xffff_ea00_0000_0000),
    ] as [(String, UInt64, UInt64, UInt64)])
  func theAreasAreTheReleases(
    _ release: String, _ directMap: UInt64, _ vmalloc: UInt64, _ vmemmap: UInt64
  ) throws {
    var kernel = Kernel(release: release, directMap: directMap)
    kernel.lines = ["NUMBER(phys_base)=0"]
    let image = try kernel.read()
    #expect(image.problems == [])
    #expect(image.facts.directMap?.value == directMap)
    #expect(image.facts.vmalloc?.value == vmalloc && image.facts.vmemmap?.value == vmemmap)
    #expect(image.facts.vmalloc?.source.hasPrefix("the layout from ") == true)
    let layout = image.layout
    #expect(layout.area(of: directMap + 0x1000).kind == .directMap)
    #expect(layout.area(of: vmalloc).kind == .vmalloc)
    let modules: UInt64 = 0xffff_ffff_a000_0000
    let isEarly = release.hasPrefix("2.")
    #expect(layout.area(of: modules).kind == (isEarly ? .modules : .image))
  }

  // MARK: - The log

  /// A log of text, whose newest bytes start the buffer.
  private func textKernel(_ text: String, size: Int, wrapped: Bool) -> Kernel {
    var kernel = Kernel()
    kernel.lines = ["NUMBER(phys_base)=0"]
    let bytes = Array(text.utf8)
    var buffer = [UInt8](repeating: 0, count: size)
    let start = wrapped ? size - bytes.count / 2 : 0
    for (index, byte) in bytes.enumerated() { buffer[(start + index) % size] = byte }
    kernel.buffer = buffer
    kernel.set("log_buf", 0x10, Place.buffer, size: 8)
    kernel.set("log_buf_len", 0x20, UInt64(size), size: 4)
    kernel.set("log_end", 0x28, UInt64(start + bytes.count), size: 4)
    kernel.set("logged_chars", 0x30, UInt64(bytes.count), size: 4)
    return kernel
  }

  /// Up to 3.4 the buffer is text, each line behind its level.
  @Test(arguments: [false, true]) func textOf2009IsRead(_ wrapped: Bool) throws {
    let image = try textKernel(
      "<5>Linux version 2.6.32-754.el6.x86_64 (a@b) #1 SMP\n<6>[    1.000000] CPA self-test:\n"
        + "<4>[    1.1]  4k 512 large 1663 gb 0 x 0[0-0] miss 0\n", size: 4096, wrapped: wrapped
    ).read()
    #expect(image.problems == [])
    #expect(
      image.log?.value
        == "Linux version 2.6.32-754.el6.x86_64 (a@b) #1 SMP\n[    1.000000] CPA self-test:\n"
        + "[    1.1]  4k 512 large 1663 gb 0 x 0[0-0] miss 0\n")
    #expect(image.log?.source == "the image's log_buf")
  }

  @Test func aBufferThatIsNoTextsSizeIsRefused() throws {
    var odd = textKernel("<5>Linux version\n", size: 4096, wrapped: false)
    odd.lines.removeAll { $0.hasPrefix("SYMBOL(log_buf_len)") }
    odd.set("log_buf_len", 0x40, 4097 << 14, size: 4)
    #expect(try odd.read().problems == ["the kernel log (log_buf) could not be read"])
  }

  /// A record as 3.5 to 5.9 write it: time, length, text's length, dictionary's length, facility.
  private func record(_ time: UInt64, _ text: String) -> [UInt8] {
    let bytes = Array(text.utf8)
    let length = (16 + bytes.count + 3) & ~3
    var record = (0..<8).map { UInt8(truncatingIfNeeded: time >> UInt64(8 * $0)) }
    record += [UInt8(length & 255), UInt8(length >> 8), UInt8(bytes.count & 255)]
    record += [UInt8(bytes.count >> 8), 0, 0, 0, 6]
    record += bytes
    return record + [UInt8](repeating: 0, count: length - record.count)
  }

  private func recordKernel(
    _ release: String, structure: String?, _ buffer: [UInt8], from first: Int, to next: Int
  ) -> Kernel {
    var kernel = Kernel(release: release)
    kernel.lines = ["NUMBER(phys_base)=0"]
    if let structure {
      kernel.lines += [
        "SIZE(\(structure))=16", "OFFSET(\(structure).ts_nsec)=0", "OFFSET(\(structure).len)=8",
        "OFFSET(\(structure).text_len)=10", "OFFSET(\(structure).dict_len)=12",
      ]
    }
    kernel.buffer = buffer
    kernel.set("log_buf", 0x10, Place.buffer, size: 8)
    kernel.set("log_buf_len", 0x20, UInt64(buffer.count), size: 4)
    kernel.set("log_first_idx", 0x28, UInt64(first), size: 4)
    kernel.set("log_next_idx", 0x30, UInt64(next), size: 4)
    return kernel
  }

  @Test(arguments: [("3.5.7", "log"), ("3.10.0", "log"), ("4.18.0", "printk_log"), ("5.4.0", nil)])
  func recordsAreRead(_ release: String, _ structure: String?) throws {
    let records = record(0, "Linux version \(release) (a@b)") + record(1_500_000_000, "two\nlines")
    let buffer = records + [UInt8](repeating: 0, count: 4096 - records.count)
    let image = try recordKernel(release, structure: structure, buffer, from: 0, to: records.count)
      .read()
    #expect(image.problems == [])
    #expect(
      image.log?.value
        == "[    0.000000] Linux version \(release) (a@b)\n[    1.500000] two\n[    1.500000] lines\n"
    )
  }

  /// A record that did not fit the buffer's end lies at its start.
  @Test func recordsGoOnAtTheStart() throws {
    let (newest, oldest) = (record(2_000_000_000, "newest"), record(1_000_000_000, "oldest"))
    var buffer = [UInt8](repeating: 0, count: 4096)
    let first = 4096 - oldest.count - 16
    buffer.replaceSubrange(first..<(first + oldest.count), with: oldest)
    buffer.replaceSubrange(0..<newest.count, with: newest)
    let image = try recordKernel(
      "4.4.0", structure: "printk_log", buffer, from: first, to: newest.count
    ).read()
    #expect(image.problems == [])
    #expect(image.log?.value == "[    1.000000] oldest\n[    2.000000] newest\n")
  }

  /// What lies between the oldest and the next record cannot be told without their lengths.
  @Test func damagedRecordsAreSaid() throws {
    let records = record(0, "Linux version 4.4.0 (a@b)")
    var buffer = records + [UInt8](repeating: 0xff, count: 4096 - records.count)
    buffer[3000] = 0
    let image = try recordKernel(
      "4.4.0", structure: "printk_log", buffer, from: 0, to: 3000
    ).read()
    #expect(image.problems == ["1 records of the kernel log (log_buf) could not be read"])
    #expect(image.log?.value == "[    0.000000] Linux version 4.4.0 (a@b)\n")
  }
}
