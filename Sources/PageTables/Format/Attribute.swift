/// One attribute of an entry: how it shows, what it allows or forbids, and its name.
package struct Attribute: Sendable, Equatable {
  /// Whether a leaf has it; `never` for an attribute of tables alone.
  package let test: BitTest
  /// Whether a table pointer has it; `never` for an attribute of leaves alone.
  package let inTable: BitTest
  /// What an entry allows only where it has the attribute.
  package let gives: Access
  /// What an entry forbids where it has the attribute; its tests must be of one bit then.
  package let takes: Access
  /// The name in the kernel's text where the attribute is there, and the text where it is not.
  package let set: String
  package let clear: String
  /// The levels (by number) at which the bits mean this.
  package let levels: ClosedRange<Int>
  /// Whether the kernel's text dump prints it.
  package let printed: Bool
  /// Whether it tells how the memory was used, or what Linux keeps in mind of it, and nothing of
  /// what may be done there: accessed, dirty, software bits.
  package let isIncidental: Bool
  /// Whether a leaf with it stays in the TLB when the processor takes another root.
  package let isGlobal: Bool

  package init(
    _ test: BitTest, inTable: BitTest = .never, gives: Access = [], takes: Access = [],
    set: String, clear: String = "", levels: ClosedRange<Int> = 1...7, printed: Bool = true,
    isIncidental: Bool = false, isGlobal: Bool = false
  ) {
    self.test = test
    self.inTable = inTable
    self.gives = gives
    self.takes = takes
    self.set = set
    self.clear = clear
    self.levels = levels
    self.printed = printed
    self.isIncidental = isIncidental
    self.isGlobal = isGlobal
  }

  /// The bits of a leaf that it takes.
  package var mask: UInt64 { test.mask }
}

/// What an entry allows, a test for each right: those of all attributes that give or take it.
package struct Rights: Sendable, Equatable {
  @usableFromInline let write: BitTest
  @usableFromInline let user: BitTest
  @usableFromInline let executeInKernel: BitTest
  @usableFromInline let executeInUser: BitTest
  /// All bits that are asked for.
  package let mask: UInt64

  /// - Parameters:
  ///   - tests: the attributes, and how each shows in an entry of this kind.
  ///   - granted: bits that every entry is taken to have.
  init(_ tests: [(attribute: Attribute, test: BitTest)], granted: UInt64 = 0) {
    func test(_ right: Access) -> BitTest {
      var mask: UInt64 = 0
      var value: UInt64 = 0
      for (attribute, test) in tests where test != .never {
        if attribute.gives.contains(right) {
          mask |= test.mask
          value |= test.value
        } else if attribute.takes.contains(right) {
          mask |= test.mask
          value |= test.value ^ test.mask
        }
      }
      return BitTest(mask: mask & ~granted, value: value & ~granted)
    }
    write = test(.write)
    user = test(.user)
    executeInKernel = test(.executeInKernel)
    executeInUser = test(.executeInUser)
    mask = write.mask | user.mask | executeInKernel.mask | executeInUser.mask
  }

  /// What `entry` allows, whatever the levels above say.
  @inlinable package func access(_ entry: UInt64) -> Access {
    func bit(_ test: BitTest, _ right: Access) -> UInt8 {
      test.matches(entry) ? right.rawValue : 0
    }
    return Access(
      rawValue: bit(write, .write) | bit(user, .user) | bit(executeInKernel, .executeInKernel)
        | bit(executeInUser, .executeInUser))
  }
}
