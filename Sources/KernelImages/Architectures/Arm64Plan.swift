internal import KernelText
internal import PageTables

/// The places of arm64's areas.
struct Arm64Plan {
  private let directMap: ClosedRange<UInt64>
  private let modules: UInt64
  private let modulesEnd: UInt64
  private let vmallocEnd: UInt64
  private let vmemmap: UInt64
  private let vmemmapEnd: UInt64
  private let pciPorts: UInt64
  /// Where the fixmap may begin and where it ends; what is mapped at its start tells nobody.
  private let fixmap: UInt64
  private let fixmapEnd: UInt64

  /// As the kernel's note and release tell them; nil where the note tells no area: before 5.19.
  init?(_ info: VMCoreInfo, _ mode: TableFormat, _ release: KernelVersion?) {
    guard let modules = info.number("MODULES_VADDR"), let end = info.number("MODULES_END"),
      let vmallocEnd = info.number("VMALLOC_END"), let vmemmap = info.number("VMEMMAP_START"),
      let vmemmapEnd = info.number("VMEMMAP_END"), modules < end, end <= vmallocEnd,
      mode.halves[1].first < modules
    else { return nil }
    directMap = mode.halves[1].first...(modules - 1)
    self.modules = modules
    modulesEnd = end
    self.vmallocEnd = vmallocEnd
    self.vmemmapEnd = vmemmapEnd
    // Since 6.9 the array begins with the page of the first address that the kernel runs with.
    let made = min(info.number("VA_BITS") ?? UInt64(mode.addressBits), 52)
    let isMoved = release.map { $0 >= KernelVersion(6, 9) } ?? (vmemmapEnd == Self.newEnd)
    let lacking = isMoved ? (mode.halves[1].first &- (0 &- (1 << made))) / mode.granule : 0
    self.vmemmap = vmemmap &+ lacking &* UInt64(info.size("page") ?? 64)
    guard vmallocEnd <= self.vmemmap, self.vmemmap < vmemmapEnd else { return nil }
    let isBehind = vmemmapEnd == Self.newEnd
    pciPorts = isBehind ? vmemmapEnd &+ 8 * Self.million : self.vmemmap &- 24 * Self.million
    fixmap = isBehind ? vmemmapEnd &+ 24 * Self.million : vmallocEnd
    fixmapEnd = isBehind ? 0 &- 8 * Self.million : self.vmemmap &- 32 * Self.million
  }

  /// As releases have them whose note tells none, without KASAN.
  ///
  /// Sources: arch/arm64/include/asm/memory.h, pgtable.h and fixmap.h, 4.6, 4.14, 5.4, 5.10, 5.15 and
  /// 6.1: the direct map was the upper half of the kernel's addresses until 5.4, BPF programs had an
  /// area of their own before the modules' from 5.0 to 5.16, and 5.11 gave the array of struct pages
  /// its place by the width alone.
  ///
  /// - Parameter made: the width of addresses that the kernel was made for.
  init?(_ release: KernelVersion, _ mode: TableFormat, made: UInt64) {
    guard release >= KernelVersion(4, 6), release < KernelVersion(6, 5), (36...52).contains(made)
    else { return nil }
    let million = Self.million
    let isUpper = release < KernelVersion(5, 4)
    // A struct page has 64 bytes.
    let perPage = UInt64(mode.granule.trailingZeroBitCount) - 6
    let pud = mode.levels.count > 2 ? mode.level(3).span : mode.root.span
    let half: UInt64 = 0 &- (1 << (min(made, 48) - 1))
    let hasBPF = release >= KernelVersion(5, 0) && release < KernelVersion(5, 17)
    modules = (isUpper ? 0 &- (1 << made) : half) &+ (hasBPF ? 128 * million : 0)
    modulesEnd = modules &+ 128 * million
    let all: UInt64 = 0 &- (1 << made)
    let size = isUpper ? 1 << (made - 1 - perPage) : (half &- all) >> perPage
    let isPlaced = release >= KernelVersion(5, 11)
    directMap = isUpper ? half...mode.top : mode.halves[1].first...(half &- 1)
    if isUpper {
      vmemmap = half &- size
      vmallocEnd = vmemmap &- pud &- 64 << 10
    } else if isPlaced {
      vmemmap = 0 &- (1 << (made - perPage))
      vmallocEnd = vmemmap &- 256 * million
    } else {
      vmemmap = 0 &- size &- 2 * million
      vmallocEnd = 0 &- pud &- size &- 64 << 10
    }
    vmemmapEnd = vmemmap &+ size
    let pciEnd = vmemmap &- (isPlaced ? 8 : 2) * million
    pciPorts = pciEnd &- 16 * million
    fixmap = vmallocEnd
    fixmapEnd = isPlaced ? vmemmap &- 32 * million : pciPorts &- 2 * million
    guard modulesEnd < vmallocEnd, vmallocEnd < fixmapEnd else { return nil }
  }

  private static let million: UInt64 = 1 << 20

  /// `VMEMMAP_END` since 6.9; before, the array ended wherever it did.
  private static let newEnd: UInt64 = 0 &- (1 << 30)

  var areas: [Area] {
    var areas = [Area(kind: .directMap, start: directMap.lowerBound, last: directMap.upperBound)]
    func add(_ kind: Area.Kind, _ start: UInt64, _ end: UInt64) {
      if start < end { areas.append(Area(kind: kind, start: start, last: end &- 1)) }
    }
    add(.modules, modules, modulesEnd)
    add(.vmalloc, modulesEnd, vmallocEnd)
    add(.vmemmap, vmemmap, vmemmapEnd)
    add(.pciPorts, pciPorts, pciPorts &+ 16 * Self.million)
    add(.fixmap, fixmap, fixmapEnd)
    return areas
  }
}
