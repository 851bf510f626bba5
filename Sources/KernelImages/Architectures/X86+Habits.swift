internal import KernelText
package import PageTables

/// What x86's older kernels did in health.
extension X86 {
  package func habit(_ defect: Habit.Defect, of run: Run, in area: Area) -> Habit? {
    switch defect {
    case .writableText: Self.patchedText
    case .writableExecutable: writableExecutable(run, area)
    case .executableDirectMap: executableDirectMap(run, area)
    }
  }

  private func writableExecutable(_ run: Run, _ area: Area) -> Habit? {
    switch area.kind.role {
    case .code: Self.looseModules
    // On 32 bits modules lie there.
    case .allocations: imageIsInDirectMap ? Self.looseModules : nil
    // The space of an image without KASLR ends where that of modules starts.
    case .image:
      run.start >= Self.imageBase &+ (512 << 20) ? Self.looseModules : Self.executableData
    default: nil
    }
  }

  private func executableDirectMap(_ run: Run, _ area: Area) -> Habit? {
    if imageIsInDirectMap { return Self.looseImage }
    if run.last &- area.start < 1 << 30 { return Self.earlyTable }
    return run.size <= 64 << 20 ? Self.firmwareInDirectMap : nil
  }

  private static let looseModules = Habit(
    before: KernelVersion(4, 11),
    words: "modules stay writable and executable without CONFIG_DEBUG_SET_MODULE_RONX",
    source: "0f5bf6d0afe4, 4.11: STRICT_MODULE_RWX, which x86 always has")

  private static let looseImage = Habit(
    before: KernelVersion(4, 6),
    words: "the image, which lies there, stays executable without CONFIG_DEBUG_RODATA",
    source: "9ccaf77cf059, 4.6: CONFIG_DEBUG_RODATA is no choice any more")

  private static let executableData = Habit(
    before: KernelVersion(2, 6, 38), words: "the image's data is executable",
    source: "5bd5a452662b, 2.6.38: NX protection for kernel data")

  private static let earlyTable = Habit(
    before: KernelVersion(3, 9),
    words:
      "the first GiB is that of level2_ident_pgt, which is executable and keeps its permissions",
    source: "b27a43c1e905, 2.6.28; 8170e6bed465, 3.9: early tables are made on demand")

  private static let firmwareInDirectMap = Habit(
    before: KernelVersion(4, 6),
    words: "EFI's runtime services run in the direct map, or in tables that it shares",
    source:
      "d2f7cbe7b26a, 3.14: the trampoline's tables map them; 67a9108ed431, 4.6: tables of their own"
  )

  private static let patchedText = Habit(
    before: KernelVersion(2, 6, 30), words: "ftrace and kprobes keep the kernel's text writable",
    source: "162396309745, 2.6.30: text is writable for conversions only")
}
