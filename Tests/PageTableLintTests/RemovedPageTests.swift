import KernelImages
import MemoryImages
import PageTableLint
import PageTables
import Support
import Testing

/// A memory that lacks one page of its tables or of its kernel's symbols, in each container: the
/// status is 3, and what is missing is said.
@Suite struct RemovedPageTests {
  enum Kind: CaseIterable {
    case elf, kdump, flattened, lime, avml

    func file(_ core: ELFCore, without page: UInt64) -> [UInt8] {
      var options = Container.KdumpOptions()
      options.dumpLevel = 31
      options.leavesOut = [page]
      switch self {
      case .elf: return core.lacking(page).encoded()
      case .kdump: return Container.kdump(core, options)
      case .flattened: return Container.flattened(Container.kdump(core, options))
      case .lime: return Container.lime(Container.withNoteInMemory(core).without(page))
      case .avml: return Container.avml(Container.withNoteInMemory(core).without(page))
      }
    }
  }

  private static let sample = "healthy"

  /// The tables below the kernel's root.
  private static func tables(_ image: KernelImage) -> [UInt64] {
    let space = image.space()
    return Set(space.pointers.map { image.mode.tableField.address(in: $0.entry) }).sorted()
  }

  /// The pages of kallsyms, from its first to its last symbol.
  private static func symbolPages(_ image: KernelImage) throws -> [UInt64] {
    let names = ["kallsyms_num_syms", "kallsyms_names", "kallsyms_token_table", "kallsyms_offsets"]
    let places = try names.map { try #require(image.symbols?[$0]) }.sorted()
    return stride(from: places[0] & ~4095, through: places[places.count - 1], by: 4096).compactMap {
      image.walk($0).physical
    }
  }

  /// One in `share` of them for `make test`.
  private static func some(_ pages: [UInt64], oneIn share: Int) -> [UInt64] {
    let step = pages.count / Effort.cases(pages.count, oneIn: share)
    return stride(from: 0, to: pages.count, by: step).map { pages[$0] }
  }

  private func report(_ file: [UInt8]) throws -> Linter.Report {
    try FormatTests.withFiles([file]) { paths in
      Linter.run(Subject(image: try KernelImage(ImageFile.open(paths: paths))))
    }
  }

  @Test(arguments: Kind.allCases) func aTableIsMissed(_ kind: Kind) throws {
    let image = try Samples.image(Self.sample)
    let core = try RawImage.core(image, .qemu)
    let pages = Self.some(Self.tables(image), oneIn: 20)
    let whole = try report(kind.file(core, without: ~4095))
    #expect(!pages.isEmpty && !whole.isIncomplete)
    for page in pages {
      let found: Linter.Report
      do { found = try report(kind.file(core, without: page)) } catch let error as ImageError {
        // No container of notes tells the root, and its own note lay below that table.
        #expect([.lime, .avml].contains(kind) && "\(error)".contains("no VMCOREINFO"))
        continue
      }
      #expect(found.isIncomplete, "\(page.entry)")
      // By itself, or as what the rule of lost tables found.
      #expect(
        found.findings.contains { ["PT904", "PT604", "PT502"].contains($0.rule.id) }
          || !found.subject.problems.isEmpty, "\(page.entry)")
    }
  }

  @Test(arguments: Kind.allCases) func symbolsAreMissed(_ kind: Kind) throws {
    let image = try Samples.image(Self.sample)
    let core = try RawImage.core(image, .qemu)
    for page in Self.some(try Self.symbolPages(image), oneIn: 20) {
      let found = try report(kind.file(core, without: page))
      #expect(found.isIncomplete, "\(page.entry)")
      #expect(found.subject.problems.contains { $0.contains("kallsyms") }, "\(page.entry)")
    }
  }
}

extension ELFCore {
  /// The same, which declares one page and does not hold it.
  fileprivate func lacking(_ page: UInt64) -> ELFCore {
    var rest = without(page)
    if let before = rest.segments.firstIndex(where: { $0.physical + $0.size == page }) {
      rest.segments[before].size += 4096
    } else if segments.contains(where: { $0.physical == page }) {
      rest.segments.append(Segment(physical: page, bytes: [], size: 4096))
      rest.segments.sort { $0.physical < $1.physical }
    }
    return rest
  }

  /// The same without one page.
  fileprivate func without(_ page: UInt64) -> ELFCore {
    var rest = self
    rest.segments = []
    for segment in segments {
      for at in stride(from: 0, to: segment.bytes.count, by: 4096)
      where segment.physical + UInt64(at) != page {
        rest.add(
          page: Array(segment.bytes[at..<(at + 4096)]), at: segment.physical + UInt64(at))
      }
    }
    return rest
  }
}
