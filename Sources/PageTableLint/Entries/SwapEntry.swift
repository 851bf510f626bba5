internal import KernelText

/// A swap entry's type and offset, and what Linux keeps the type for.
package struct SwapEntry: Sendable, Equatable {
  package let type: Int
  package let offset: UInt64
  /// What the type may mean, by the kernel's configuration; empty for a swap area.
  package let meanings: [Meaning]

  init(type: Int, offset: UInt64, release: KernelVersion?) {
    self.type = type
    self.offset = offset
    meanings = Self.meanings(of: type, release: release)
  }

  package enum Meaning: String, Sendable, CaseIterable {
    case migration
    case poisonedMemory = "hwpoison"
    case devicePrivate = "device-private"
    case deviceExclusive = "device-exclusive"
    case marker
    case swapInError = "swapin-error"

    var words: String {
      switch self {
      case .migration: "a page that is being migrated"
      case .poisonedMemory: "a page whose memory failed (hwpoison)"
      case .devicePrivate: "a page in a device's memory"
      case .deviceExclusive: "a page that a device uses exclusively"
      case .marker: "a marker without a page"
      case .swapInError: "a page that could not be read back from swap"
      }
    }

    /// Whether the offset is a frame number.
    var hasFrame: Bool { self == .migration || self == .poisonedMemory || self == .deviceExclusive }
  }

  /// Linux takes types from the top of 32 for its own purposes, as many as its configuration wants.
  ///
  /// Source: include/linux/swap.h, 6.1, 6.12 and older; device memory since 4.14, exclusive use since
  /// 5.14, markers and the third migration type since 5.19.
  static func meanings(of type: Int, release: KernelVersion?) -> [Meaning] {
    guard let release else { return type >= 22 ? [.migration] : [] }
    let heads: [[Meaning]]
    let migration = [Meaning](
      repeating: .migration, count: release >= KernelVersion(5, 19, 0) ? 3 : 2)
    let device: [[Meaning]]
    if release >= KernelVersion(5, 14, 0) {
      device = [[], [.deviceExclusive, .deviceExclusive, .devicePrivate, .devicePrivate]]
    } else if release >= KernelVersion(4, 14, 0) {
      device = [[], [.devicePrivate, .devicePrivate]]
    } else {
      device = [[]]
    }
    if release >= KernelVersion(6, 4, 0) {
      heads = [[.marker]]
    } else if release >= KernelVersion(5, 19, 0) {
      heads = [[.swapInError, .marker], [.swapInError]]
    } else {
      heads = [[]]
    }
    var found: [Meaning] = []
    for head in heads {
      for device in device {
        let fromTop = head + device + migration + [.poisonedMemory]
        let index = 31 - type
        if fromTop.indices.contains(index), !found.contains(fromTop[index]) {
          found.append(fromTop[index])
        }
      }
    }
    return found
  }
}
