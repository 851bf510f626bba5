/// What the processor takes an entry for.
package enum EntryClass: Sendable, Equatable {
  /// It ends the walk: nothing is mapped.
  case invalid
  /// It leads to the table one level below.
  case table
  /// It maps memory.
  case leaf
}
