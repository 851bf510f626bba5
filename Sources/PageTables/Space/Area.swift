/// One stretch of the kernel's virtual address space with a purpose.
package struct Area: Sendable, Equatable {
  package let kind: Kind
  package let start: UInt64
  /// Inclusive.
  package let last: UInt64

  package init(kind: Kind, start: UInt64, last: UInt64) {
    self.kind = kind
    self.start = start
    self.last = last
  }

  package var name: String { kind.name }
  /// Its addresses; nil where the facts that tell them contradict each other.
  var range: ClosedRange<UInt64>? { start <= last ? start...last : nil }
  package func contains(_ address: UInt64) -> Bool { start <= address && address <= last }
}

extension Area {
  /// What an area is for, and how a boot finds its place; reports and configurations have the name.
  ///
  /// An architecture may have kinds of its own, beside those that are known to all.
  package struct Kind: Sendable, Hashable {
    /// What the memory of an area is.
    package enum Role: Sendable {
      case user, hole, directMap, allocations, pageArray, perCPU, firmware, image, code, fixmap
      /// The processor's own structures.
      case processor
      case other
    }

    /// What two boots of one kernel on one machine have in common of an area.
    package enum Placement: Sendable {
      /// Its place, and what lies where in it.
      case fixed
      /// What lies where in it; KASLR moves all of it.
      case moved
      /// What it is for: addresses in it are handed out as a boot goes.
      case handedOut
      /// What it is for: addresses in it are random.
      case random
    }

    package let name: String
    package let role: Role
    package let placement: Placement
    /// Whether the kernel's own dump leaves out most of its lines.
    package let isElidedInText: Bool

    package init(
      _ name: String, _ role: Role, _ placement: Placement, isElidedInText: Bool = false
    ) {
      self.name = name
      self.role = role
      self.placement = placement
      self.isElidedInText = isElidedInText
    }

    /// Names come last: most kinds differ in the role, and bytes are compared faster than words.
    package static func == (one: Kind, other: Kind) -> Bool {
      one.role == other.role && one.placement == other.placement && one.name == other.name
    }
    package func hash(into hasher: inout Hasher) { hasher.combine(name) }
  }
}

extension Area.Kind {
  package static let user = Self("user space", .user, .handedOut)
  package static let guardHole = Self("guard hole", .hole, .fixed)
  package static let ldtRemap = Self("LDT remap", .processor, .fixed)
  package static let directMap = Self("direct map", .directMap, .moved)
  package static let vmalloc = Self("vmalloc", .allocations, .handedOut)
  package static let vmemmap = Self("vmemmap", .pageArray, .moved)
  package static let cpuEntryArea = Self("cpu entry area", .perCPU, .random)
  /// Source: `note_page`, arch/x86/mm/dump_pagetables.c, 6.12: so many entries skipped.
  package static let espfix = Self("ESPfix", .processor, .random, isElidedInText: true)
  package static let efi = Self("EFI runtime services", .firmware, .fixed)
  package static let image = Self("kernel image", .image, .moved)
  package static let modules = Self("modules", .code, .handedOut)
  package static let persistentKmap = Self("persistent kmap", .allocations, .handedOut)
  package static let fixmap = Self("fixmap", .fixmap, .fixed)
  /// Where arm64 maps the I/O ports of PCI.
  package static let pciPorts = Self("PCI I/O", .other, .fixed)
  package static let other = Self("between areas", .other, .handedOut)

  /// Those that configurations may name, in the order in which inputs are compared.
  package static let known: [Self] = [
    user, guardHole, ldtRemap, directMap, vmalloc, vmemmap, cpuEntryArea, espfix, efi, image,
    modules, persistentKmap, fixmap, pciPorts, other,
  ]

  /// The known kind of that name.
  package static func named(_ name: String) -> Self? { known.first { $0.name == name } }
}
