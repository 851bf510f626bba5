internal import KernelImages
internal import MemoryImages
internal import PageTables

extension Rule {
  /// Code of modules, BPF and ftrace, writable by its other address.
  static let writableAliasOfModuleText = Rule(
    id: "PT003", name: "writable-alias-of-module-text", severity: .error,
    summary: "a module's or BPF program's code can be written through the direct map",
    needs: [.physicalAddresses, .directMapBase, .noExecute, .protectedAliases],
    documentation: """
      What: a writable page of the direct map whose frame the modules area maps read-only and
      executable. It is code of a module, a BPF program, ftrace or kprobes.
      Why: a write to that address changes code that runs; the protection only looks applied.
      How Linux should look: set_memory_rox() makes both mappings read-only, since change_page_attr
      works on a page's alias too. On 32 bits modules lie in vmalloc's area. On arm64 only
      rodata=full makes the alias read-only (rodata_full tells it), and BPF programs lie in
      vmalloc's area, which is judged there, too.
      False alarm: none known on x86. A frame without an alias (highmem on 32 bits) is left out. A
      single page on arm64 may be kprobes', which kernels before 6.19 map without its alias: it is
      left out. A page that is writable where it runs is PT001's.
      Fix: see who changed one of the two mappings alone, or whether the code was freed and its old
      mapping left behind (VM_FLUSH_RESET_PERMS missing).
      References:
      - arch/x86/mm/pat/set_memory.c, Linux 6.12: cpa_process_alias, set_memory_rox
      - mm/vmalloc.c, Linux 6.12: vm_reset_perms
      """, comparesParts: true, givesWayTo: ["PT501", "PT609"]
  ) { rule, subject in
    let table = subject.kernel
    let mode = table.space.mode
    guard let base = subject.facts.directMap?.value else { return [] }
    let kind: Area.Kind = table.layout.first(.modules) == nil ? .vmalloc : .modules
    // On 32 bits modules lie in vmalloc, and so does Hyper-V's hypercall page, mapped without CPA.
    // On arm64 kprobes' page is mapped as code from the start, and its alias is never asked for.
    let makesCode = subject.architecture.makesCodeInVmalloc
    let sparesSinglePages = kind == .vmalloc && subject.mayBeHyperV || makesCode
    var bad: [Run] = []
    var code: [Run] = []
    var counted = 0
    // A page that leads elsewhere is another rule's, whatever it leads to.
    lazy var elsewhere = VmallocCheck(subject, table).other
    let places = [Array(table.runs(kind)), makesCode ? Array(table.runs(.vmalloc)) : []].joined()
    for run in places where run.isReadOnlyExecutable {
      if sparesSinglePages, run.size == mode.granule { continue }
      guard subject.mayLook(Looks.piece * (bad.count - counted + 1)) else { break }
      counted = bad.count
      let writable = table.directMapAliases(of: run, base: base).filter {
        $0.access.isWritable
      }
      guard !writable.isEmpty,
        !elsewhere.contains(where: { $0.start <= run.last && run.start <= $0.last })
      else { continue }
      code.append(run)
      bad += writable
    }
    guard let first = code.first else { return [] }
    bad.sort { $0.start < $1.start }
    return [
      Finding(
        rule, "\(total(bad)) of module or BPF code writable through the direct map", in: table,
        runs: bad, area: table.layout.first(.directMap),
        evidence: [
          .words(
            "the code runs at \(mode.text(first.start))"
              + (code.count > 1 ? " and \(code.count - 1) more places" : ""))
        ] + evidence(bad, subject, table),
        help: "make both mappings read-only: set_memory_rox() does")
    ]
  }
}
