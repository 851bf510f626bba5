internal import KernelImages
internal import MemoryImages
internal import PageTables

extension Rule {
  /// Pages of the processors' entry areas that are missing, unprotected, or others'.
  static let cpuEntryAreaWrong = Rule(
    id: "PT611", name: "cpu-entry-area-wrong", severity: .error,
    summary: "a page of the processors' entry areas is writable, missing, or another's",
    serves: .x86_64,
    needs: [
      .physicalAddresses, .release(5, 10), .area(.cpuEntryArea), .kernelsOwnTable, .imageFrames,
      .symbols("idt_table", "gdt_page", "entry_stack_storage", "cpu_tss_rw", "exception_stacks"),
      .notXen("Xen loads the tables"),
    ],
    documentation: """
      What: the IDT, a GDT or a TSS that is writable in the cpu entry area, or a stack there that is
      read-only. Or a page that is not mapped, or maps something else than that processor's own.
      Why: the processor reads these tables at each interrupt, and a program knows where the IDT
      lies: whoever can write them owns the machine. A missing page ends in a triple fault.
      How Linux should look: setup_cpu_entry_area() maps the IDT, each GDT and each TSS read-only,
      and the stacks writable; each processor's pages are its own.
      False alarm: none known. A processor whose area has fewer than half of its pages right is not
      recognised, and not judged.
      Fix: see what changed the entry; a single bit says that memory was corrupted.
      References:
      - arch/x86/mm/cpu_entry_area.c, Linux 6.12: setup_cpu_entry_area
      - arch/x86/include/asm/cpu_entry_area.h, Linux 6.12: struct cpu_entry_area
      """, comparesParts: true,
    givesWayTo: [
      "PT001", "PT009", "PT106", "PT206", "PT307", "PT501", "PT502", "PT504", "PT505", "PT506",
      "PT507",
      "PT508",
    ]
  ) { rule, subject in
    let table = subject.kernel
    guard let area = table.layout.first(.cpuEntryArea), let symbols = subject.symbols,
      let entry = CPUEntryArea(symbols, subject.facts, table.space.mode)
    else { return [] }
    let wanted = descriptors(subject, area) + areas(entry, table, subject)
    var bad: [(run: Run, what: String)] = []
    for page in wanted {
      let last = page.start &+ (table.space.mode.granule - 1)
      for run in table.runs(from: page.start, through: last) where run.kind != .unreadable {
        let what: String? =
          if !run.isLeaf { "not mapped" } else if run.physical != page.physical {
            "another page than \(page.owner)'s"
          } else if run.access.isWritable && !page.isWritable {
            "writable"
          } else if page.isWritable && !run.access.isWritable { "read-only" } else { nil }
        if let what {
          bad.append((run, "\(table.space.mode.text(run.start)), \(page.owner): \(what)"))
        }
      }
    }
    guard !bad.isEmpty else { return [] }
    let runs = bad.map(\.run)
    return [
      Finding(
        rule, "\(total(runs)) of the cpu entry area not as the kernel maps it", in: table,
        runs: runs,
        area: area,
        evidence: bad.prefix(3).map { .words($0.what) } + evidence(runs, subject, table),
        help: "see what changed the entry")
    ]
  }

  private struct Page {
    let start: UInt64
    let physical: UInt64
    let isWritable: Bool
    let owner: String
  }

  /// Where a processor's area and its per-CPU memory may start.
  private struct Place: Hashable {
    let area: UInt64
    let memory: UInt64
  }

  /// The IDT, which all processors share at the start of the area.
  private static func descriptors(_ subject: Subject, _ area: Area) -> [Page] {
    guard let frames = subject.image?.imageFrames, let text = subject.symbols?["_text"],
      let idt = subject.symbols?["idt_table"], idt > text
    else { return [] }
    return [
      Page(
        start: area.start, physical: frames.lowerBound &+ (idt - text), isWritable: false,
        owner: "idt_table")
    ]
  }

  /// NR_CPUS is 8192 at most.
  private static let mostPlaces = 8192

  /// The pages of each processor's area.
  ///
  /// Nothing tells where an area and its processor's per-CPU memory start: each leaf may be any of the
  /// pages, and the start of which most pages are right is taken.
  private static func areas(
    _ entry: CPUEntryArea, _ table: Table, _ subject: Subject
  ) -> [Page] {
    let granule = table.space.mode.granule
    var votes: [Place: Int] = [:]
    for run in table.runs(.cpuEntryArea) where run.isLeaf && run.level == 1 && !run.repeats {
      guard let physical = run.physical, run.size <= 1 << 20 else { continue }
      for offset in stride(from: 0, to: run.size, by: Int(granule)) {
        guard subject.mayLook(entry.pages.count) else { return [] }
        for page in entry.pages {
          let place = Place(
            area: run.start &+ offset &- page.index &* granule,
            memory: physical &+ offset &- page.offset)
          votes[place, default: 0] += 1
        }
      }
    }
    let likely = votes.filter { $0.value * 2 > entry.pages.count }.sorted {
      ($1.value, $0.key.area, $0.key.memory) < ($0.value, $1.key.area, $1.key.memory)
    }
    // A start beside the right one has some pages right, too.
    let size = (entry.pages.map(\.index).max() ?? 0) &* granule
    var places: [Place] = []
    for (place, _) in likely.prefix(mostPlaces)
    where !places.contains(where: { max($0.area, place.area) - min($0.area, place.area) <= size }) {
      places.append(place)
    }
    return places.sorted { $0.area < $1.area }.flatMap { place in
      entry.pages.map { page in
        Page(
          start: place.area &+ page.index &* granule, physical: place.memory &+ page.offset,
          isWritable: page.isWritable, owner: page.owner)
      }
    }
  }
}
