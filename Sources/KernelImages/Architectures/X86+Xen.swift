internal import KernelText
internal import MemoryImages
internal import PageTables

/// How a kernel shows in its tables that it is a guest of Xen's without the hardware's help (PV).
///
/// Xen gives each page of a 64-bit guest kernel US, since the kernel runs in ring 3, and bit 52, and
/// takes G, which it keeps for programs' pages. Source: `_PAGE_GUEST_KERNEL` and `adjust_guest_l1e`,
/// xen/arch/x86/include/asm/x86_64/page.h and xen/arch/x86/mm.c, Xen 4.17.
extension X86 {
  private static let xenMarks: UInt64 = 1 << 52 | 1 << 2 | 1
  private static let global: UInt64 = 1 << 8

  /// In the order in which they are looked for.
  var xenFacts: [FactSource] {
    [
      .of(
        .xen, { evidence, _ in evidence.guest.map { Fact(true, $0.source) } },
        { evidence, _ in
          Self.hardwareGuest(evidence).map { Fact(false, $0.source) }
        },
        { evidence, facts in leavesHaveXenMarks(evidence, facts) }),
      .of(.hypervisor) { evidence, facts in
        guard let xen = facts.xen, xen.value || Self.hardwareGuest(evidence) != nil else {
          return nil
        }
        return Self.version(in: evidence.reader.memory.notes) ?? Fact("Xen", xen.source)
      },
      .of(
        .domain,
        { evidence, _ in
          evidence.guest.map {
            Fact(
              $0.kind,
              $0.isControlDomain
                ? "its frame list has the machine's devices" : "its frame list has no devices")
          }
        },
        { evidence, _ in Self.hardwareGuest(evidence) }),
    ]
  }

  /// Xen's notes of itself: of a crash, and of `xl dump-core`, which has the version's last part, too.
  ///
  /// Source: `xen_crash_xen_info_t`, xen/include/xen/elfcore.h, and `xen_dumpcore_elfnote_xen_version`,
  /// tools/include/xenguest.h, Xen 4.17.
  private static let (crashNote, versionNote): (UInt32, UInt32) = (0x100_0001, 0x200_0002)

  private static func version(in notes: [ImageNote]) -> Fact<String>? {
    let own = notes.filter { $0.name == "Xen" }
    guard let note = own.first(where: { [crashNote, versionNote].contains($0.type) }),
      let major = note.bytes.u64(at: 0), let minor = note.bytes.u64(at: 8),
      major < 1000, minor < 1000
    else { return nil }
    let rest = note.type == versionNote ? note.bytes.dropFirst(16).prefix(16) : []
    let extra = rest.prefix { $0 > 0x20 && $0 < 0x7f }.map { Character(Unicode.Scalar($0)) }
    return Fact("Xen \(major).\(minor)" + String(extra), "its note")
  }

  /// What kind of guest it is whose tables are read by the processor alone, and what tells it.
  ///
  /// Source: `XEN_HVM_DOMAIN`, `enum xen_domain_type`, include/xen/xen.h, 6.12.
  private static func hardwareGuest(_ evidence: FactEvidence) -> Fact<String>? {
    let memory = evidence.reader.memory
    if memory.ownFrames.isEmpty, memory.notes.contains(where: { $0.name == XenCore.registersNote })
    {
      return Fact("domU (HVM or PVH)", "xl dump-core of an HVM or PVH guest")
    }
    let isHardware = evidence.values[xenDomainType] == 2
    return isHardware ? Fact("HVM or PVH guest", xenDomainType) : nil
  }

  /// Whether the first leaves of the direct map and of the image have Xen's marks, and no G.
  private func leavesHaveXenMarks(
    _ evidence: FactEvidence, _ facts: KernelFacts
  ) -> Fact<Bool>? {
    guard !imageIsInDirectMap, let base = facts.directMap?.value else { return nil }
    let (mode, root, memory) = (evidence.mode, evidence.root.address, evidence.reader.memory)
    let text = Root.text(mode: mode, root: root, memory: memory)
    let entries = [base, text?.address].compactMap { address in
      address.flatMap { mode.walk($0, root: root, memory: memory).steps.last?.entry }
    }
    guard entries.count == 2,
      entries.allSatisfy({ $0 & (Self.xenMarks | Self.global) == Self.xenMarks })
    else { return nil }
    return Fact(true, "the kernel's leaves have bit 52 and USR, and no GLB")
  }

  /// Whether a text's kernel leaves all have USR and none GLB; nil where some have not.
  func xen(in text: KernelText) -> Fact<Bool>? {
    let mode = text.space.mode
    guard !imageIsInDirectMap, !text.space.anomalies.contains(where: \.isUnseen) else { return nil }
    let leaves = text.space.runs.lazy.filter { $0.isLeaf && $0.start >= mode.upperHalf }
    guard
      leaves.allSatisfy({ $0.flags & (mode.user | mode.global) == mode.user && $0.level == 1 }),
      leaves.count > 1
    else { return nil }
    return Fact(true, "each line of the kernel's half has USR and none GLB")
  }
}
