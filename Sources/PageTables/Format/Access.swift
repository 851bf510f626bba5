/// What may be done with memory, in words that every processor has.
package struct Access: OptionSet, Sendable, Hashable, Codable {
  package let rawValue: UInt8
  @inlinable package init(rawValue: UInt8) { self.rawValue = rawValue }

  package static let write = Access(rawValue: 1 << 0)
  /// User mode may use it.
  package static let user = Access(rawValue: 1 << 1)
  /// The kernel may run code there.
  package static let executeInKernel = Access(rawValue: 1 << 2)
  /// User mode may run code there.
  package static let executeInUser = Access(rawValue: 1 << 3)
  package static let all: Access = [.write, .user, .executeInKernel, .executeInUser]

  package var isWritable: Bool { contains(.write) }
  package var isUser: Bool { contains(.user) }
  /// Whether code may run there, with the kernel's rights or a user's.
  package var isExecutable: Bool { !isDisjoint(with: [.executeInKernel, .executeInUser]) }
}
