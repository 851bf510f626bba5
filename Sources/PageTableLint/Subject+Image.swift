internal import KernelImages
internal import MemoryImages
internal import PageTables

/// What symbols and tables tell of the kernel image.
extension Subject {
  /// Where the image may be mapped: from _text to _end, on 64 bits to the end of its 2M page.
  ///
  /// The kernel keeps what lies up to the end of brk; _end is where brk ends at the latest. Nil
  /// without symbols. Source: `cleanup_highmap` and `mark_rodata_ro`, arch/x86/mm/init_64.c, 6.12.
  var imageMapping: ClosedRange<UInt64>? {
    guard let start = symbols?["_text"], let end = symbols?["_end"], start < end else { return nil }
    let large: UInt64 = 1 << 21
    let rounded = (end &+ (large - 1)) & ~(large - 1)
    return start...((mode.addressBits == 32 ? end : rounded) &- 1)
  }

  /// The addresses that only the image may use, on 64 bits; nil on 32.
  ///
  /// KERNEL_IMAGE_SIZE is 512 MiB, or 1 GiB with KASLR. Where it is not known it is taken as the
  /// lesser, unless the image lies behind it. Source: arch/x86/include/asm/page_64_types.h, 6.12.
  var imageSpace: ClosedRange<UInt64>? {
    guard mode.addressBits > 32, let area = kernel.layout.first(.image) else { return nil }
    let lesser: UInt64 = 512 << 20
    let end = symbols?["_end"] ?? 0
    let size = facts.imageSize?.value ?? (end > area.start &+ lesser ? 2 * lesser : lesser)
    let last = area.start &+ (size &- 1)
    return area.start <= last ? area.start...last : nil
  }

  /// The whole pages of a section between two symbols, the last one rounded up; nil without them.
  func section(_ start: String, _ end: String) -> ClosedRange<UInt64>? {
    guard let low = symbols?[start], let high = symbols?[end] else { return nil }
    let first = (low &+ 4095) & ~4095
    let last = (high &+ 4095) & ~4095
    return first < last ? first...(last &- 1) : nil
  }

  /// The frames of the image's text and rodata; none without symbols, and in text dumps.
  var readOnlyImageFrames: [ClosedRange<UInt64>] {
    guard let image, let first = image.imageFrames?.lowerBound, let text = symbols?["_text"] else {
      return []
    }
    return image.readOnlyParts.compactMap { part in
      let start = first &+ (part.lowerBound &- text)
      let last = start &+ (part.upperBound &- part.lowerBound)
      return start <= last ? start...last : nil
    }
  }

  /// Whether mark_rodata_ro() has run, as far as the tables can tell: text or rodata is read-only.
  ///
  /// The IDT's page is read-only earlier. Where no writable text is seen, nothing speaks against.
  /// An image's log is of the moment of its tables; a text's may go on for long after it.
  /// Source: `kernel_init`, init/main.c, and `idt_setup_apic_and_irq_gates`,
  /// arch/x86/kernel/idt.c, 6.12.
  var imageIsSettled: Bool {
    let leaves = kernel.runs(.image).filter(\.isLeaf)
    let idt = symbols?["idt_table"]
    func isIDT(_ run: Run) -> Bool {
      run.pages == 1 && run.effective & mode.noExecute != 0
        && (symbols == nil || idt.map(run.contains) == true)
    }
    let isProtected = leaves.contains { $0.effective & mode.write == 0 && !isIDT($0) }
    let hasWritableText = leaves.contains { Rule.isWritableExecutable($0, mode) }
    return isProtected || !hasWritableText
      || (image != nil && log?.value.mentions("Write protecting ") == true)
  }
}

extension KernelFacts {
  /// Whether the kernel is that release or a later one; nil where it is not known.
  func isAtLeast(_ version: Int...) -> Bool? {
    guard let release else { return nil }
    let numbers = release.value.split(separator: ".").prefix(version.count).map { part in
      Int(part.prefix { $0.isASCII && $0.isNumber }) ?? 0
    }
    return numbers.first ?? 0 == 0 ? nil : !numbers.lexicographicallyPrecedes(version)
  }
}

extension Table {
  /// The leaves of the direct map that map a run's frames.
  ///
  /// - Parameter base: the direct map's start.
  func directMapAliases(of run: Run, base: UInt64) -> [Run] {
    guard run.isLeaf, let physical = run.physical, let area = layout.first(.directMap),
      area.contains(base), physical <= area.last - base
    else { return [] }
    let span = space.mode.span(of: run)
    let size = run.repeats ? min(run.size, span) : run.size
    let start = base &+ physical
    let last = size - 1 > area.last - start ? area.last : start &+ (size - 1)
    return runs(from: start, through: last).filter(\.isLeaf)
  }
}

extension Rule {
  static func isWritableExecutable(_ run: Run, _ mode: TableFormat) -> Bool {
    run.isLeaf && run.effective & mode.write != 0 && run.effective & mode.noExecute == 0
  }

  static func isReadOnlyExecutable(_ run: Run, _ mode: TableFormat) -> Bool {
    run.isLeaf && run.effective & (mode.write | mode.noExecute) == 0
  }
}
