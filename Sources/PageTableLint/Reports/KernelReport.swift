package import KernelText
internal import KernelImages
package import MemoryImages
internal import PageTables

/// The dump that the kernel's own debugfs file prints of a table.
package enum KernelReport {
  /// - Returns: the text, where its markers are from, and whether they are assumed: those of a usual
  ///   configuration, which may not be this kernel's.
  /// - Throws: `ImageError` where nothing tells what the kernel would mark.
  package static func text(_ table: Table, of subject: Subject) throws(ImageError) -> (
    text: KernelText, markers: String, areAssumed: Bool
  ) {
    if let text = subject.text { return (text, "the text's own", false) }
    let architecture = subject.mode.architecture
    let dialect = architecture.dialect(release: subject.facts.release?.value)
    let isEFI = table.id == .efi
    let own =
      subject.image?.mode == table.space.mode
      ? nil : architecture.lowerMarkers(table.space.mode, isEFI: isEFI)
    guard
      let markers = own.map({ Fact($0, "those of such a table") }) ?? subject.image?.markers
        ?? architecture.usualMarkers(table.layout).map({
          Fact(
            $0,
            "those of 6.12's usual configuration, since no symbol tells address_markers"
          )
        })
    else {
      throw ImageError(
        subject.path, "no symbol tells where the kernel's areas begin (address_markers)",
        advice: "give the vmlinux or System.map of the same build with --symbols")
    }
    let space = table.root.flatMap { subject.image?.dumpedSpace(root: $0) } ?? table.space
    return (
      KernelText(showing: space, markers: markers.value, dialect: dialect), markers.source,
      subject.image?.markers == nil
    )
  }
}
