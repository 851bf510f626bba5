import Foundation
import Support
import Testing

/// The colours of pages: what lies beside each other can be told apart.
@Suite struct PageColourTests {
  /// A path of a layer: its class, where it has a hatch or none, and what it draws.
  private static var path: Regex<(Substring, Substring?, Substring?, Substring)> {
    #/
    class="(?: s\ ([a-z0-9]+)"><path\ class="h"\ id="[^"]*" | s\ ([a-z0-9]+)" | bd" )\ d="([^"]*)"
    /#
  }

  /// The colours of a page's style by their names: light, and dark.
  private static func palettes(_ style: String) -> [[String: String]] {
    let parts = style.split(separator: "@media(prefers-color-scheme:dark)", maxSplits: 1)
    return parts.map { part in
      Dictionary(
        part.matches(of: /--([a-z0-9]+):(#[0-9a-f]+)/).map { (String($0.1), String($0.2)) }
      ) { first, _ in first }
    }
  }

  /// The contrast of two colours.
  ///
  /// Source: Web Content Accessibility Guidelines 2.2, "contrast ratio" and "relative luminance".
  private static func contrast(_ one: String, _ other: String) -> Double {
    func luminance(_ colour: String) -> Double {
      let digits = colour.dropFirst()
      let long = digits.count == 3 ? digits.map { "\($0)\($0)" }.joined() : String(digits)
      let value = Int(long, radix: 16) ?? 0
      let parts = [16, 8, 0].map { shift -> Double in
        let part = Double(value >> shift & 255) / 255
        return part <= 0.04045 ? part / 12.92 : pow((part + 0.055) / 1.055, 2.4)
      }
      return 0.2126 * parts[0] + 0.7152 * parts[1] + 0.0722 * parts[2]
    }
    let values = [luminance(one), luminance(other)].sorted()
    return (values[1] + 0.05) / (values[0] + 0.05)
  }

  /// Cells beside each other contrast by 3, or a line that contrasts with both lies between.
  @Test(arguments: ["cpa-2008", "faults"]) func neighboursAreToldApart(_ sample: String) throws {
    let page = try PageTests.page(["check", "samples/\(sample)/memory.elf"])
    let elements = try PageTests.elements(page)
    let palettes = Self.palettes(try #require(elements.first { $0.name == "style" }).text)
    #expect(palettes.count == 2)
    var borders = 0
    for match in page.matches(of: /<g class="ly ly-[a-z]+">(.*?)<\/svg>/.dotMatchesNewlines()) {
      for layer in match.1.split(separator: "<g class=\"ly") {
        var cells: [[Int]: String] = [:]
        var lines: Set<[Int]> = []
        for path in layer.matches(of: Self.path) {
          let style = (path.1 ?? path.2).map(String.init)
          var pen = [0, 0]
          for step in path.3.matches(of: /([Mm])(\d+) (\d+)(?:\.5)?([hv])(\d+)/) {
            let (x, y, long) = (Int(step.2) ?? 0, Int(step.3) ?? 0, Int(step.5) ?? 0)
            pen = step.1 == "M" ? [x, y] : [pen[0] + x, pen[1]]
            guard let style else {
              lines.insert(pen)
              continue
            }
            for column in pen[0]..<(pen[0] + long) { cells[[column, pen[1]]] = style }
            pen[0] += long
          }
        }
        borders += lines.count
        for (place, style) in cells {
          guard let next = cells[[place[0] + 1, place[1]]], next != style else { continue }
          for palette in palettes {
            let (one, other) = (palette[style] ?? "", palette[next] ?? "")
            let card = palette["card"] ?? ""
            #expect(
              Self.contrast(one, other) >= 3
                || lines.contains([place[0] + 1, place[1]]) && Self.contrast(one, card) >= 3
                  && Self.contrast(other, card) >= 3,
              "\(style) beside \(next)")
          }
        }
      }
    }
    #expect(borders > 0)
  }
}
