extension SelfTestJudge {
  /// What is known apart from the log.
  package struct Evidence: Sendable {
    /// The release that the user names.
    package var userRelease: String?
    /// The release that the image names.
    package var imageRelease: String?
    package var directMapBase: UInt64?
    package var pti: Bool?
    package var pge: Bool?
    package var xen: Bool?
    package var tables: Tables?

    package init(
      userRelease: String? = nil, imageRelease: String? = nil, directMapBase: UInt64? = nil,
      pti: Bool? = nil, pge: Bool? = nil, xen: Bool? = nil, tables: Tables? = nil
    ) {
      self.userRelease = userRelease
      self.imageRelease = imageRelease
      self.directMapBase = directMapBase
      self.pti = pti
      self.pge = pge
      self.xen = xen
      self.tables = tables
    }
  }

  /// The kernel's tables as a dump or an image shows them, after the revert.
  package struct Tables: Sendable {
    package struct Leaf: Sendable, Equatable {
      package var entry: UInt64?
      package var isGlobal: Bool?
      package var isLarge: Bool
      package var isPresent: Bool

      package init(entry: UInt64? = nil, isGlobal: Bool?, isLarge: Bool, isPresent: Bool = true) {
        self.entry = entry
        self.isGlobal = isGlobal
        self.isLarge = isLarge
        self.isPresent = isPresent
      }
    }

    /// Finds the leaf that maps an address, nil where none does or the tables cannot tell.
    package var lookup: @Sendable (UInt64) -> Leaf?

    package init(lookup: @escaping @Sendable (UInt64) -> Leaf?) {
      self.lookup = lookup
    }
  }
}
