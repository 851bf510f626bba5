import Foundation
import Benchmark
import Measured
import SyntheticImages

/// What one process does, each alone: the walk of each image, the parser, each rule.
///
/// The images lie in the folder that the environment's BENCHMARK_IMAGES names.
let benchmarks: @Sendable () -> Void = {
  Benchmark.defaultConfiguration = .init(
    metrics: [.wallClock, .throughput, .peakMemoryResidentDelta], maxDuration: .seconds(1))
  guard let folder = ProcessInfo.processInfo.environment["BENCHMARK_IMAGES"] else {
    fatalError("BENCHMARK_IMAGES names no folder")
  }
  @Sendable func open(_ shape: SyntheticImage.Shape) throws -> OpenImage {
    try OpenImage(path: SyntheticImage(shape).write(into: folder))
  }
  for shape in SyntheticImage.Shape.allCases {
    Benchmark("walk \(shape.rawValue)") { benchmark, image in
      for _ in benchmark.scaledIterations { blackHole(image.walk(inParallel: false)) }
    } setup: {
      try open(shape)
    }
  }
  Benchmark("parse") { benchmark, text in
    for _ in benchmark.scaledIterations { blackHole(parse(text)) }
  } setup: {
    try open(.permissions).text
  }
  for rule in JudgedTables.rules {
    Benchmark("rule \(rule)") { benchmark, tables in
      for _ in benchmark.scaledIterations { blackHole(tables.lint(rule)) }
    } setup: {
      try open(.random).judged()
    }
  }
}
