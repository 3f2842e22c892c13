import CPare
import PareTensor
import Testing

@testable import PareHost

/// Every function of every table, also with nothing to work on.
@Suite struct ServiceTests {
    private let context = Context(threads: 3, searchPath: "")
    private var host: UnsafePointer<pare_host> { UnsafePointer(context.host) }

    private func table<T>(_ id: String, _ type: T.Type) throws -> T {
        let service = try #require(host.pointee.get_service)
        return try #require(service(host, id)).load(as: type)
    }

    @Test func tablesById() throws {
        let service = try #require(host.pointee.get_service)
        #expect(service(host, nil) == nil && service(host, "") == nil && service(host, "pare.memory/2") == nil)
        #expect(service(nil, PARE_SERVICE_MEMORY) == service(host, PARE_SERVICE_MEMORY))
        for id in [
            PARE_SERVICE_MEMORY, PARE_SERVICE_PARALLEL, PARE_SERVICE_RANDOM, PARE_SERVICE_VECTOR, PARE_SERVICE_LOG, PARE_SERVICE_REGISTRY,
        ] {
            #expect(try table(id, UInt32.self) >= 16, "\(id) says its size")
        }
        #expect(host.pointee.abi_major == PARE_ABI_MAJOR && fromC(host.pointee.version) == Context.version)
    }

    @Test func memory() throws {
        let memory = try table(PARE_SERVICE_MEMORY, pare_memory_service.self)
        for size in [1, 63, 4096] as [UInt64] {
            let block = try #require(memory.allocate(host, size))
            #expect(UInt(bitPattern: block) % 64 == 0)
            block.initializeMemory(as: UInt8.self, repeating: 1, count: Int(size))
            memory.release(nil, block, size)
        }
        #expect(memory.allocate(host, 0) == nil && memory.allocate(nil, .max) == nil)
        memory.release(host, nil, 8)
    }

    @Test func parallel() throws {
        let parallel = try table(PARE_SERVICE_PARALLEL, pare_parallel_service.self)
        #expect(parallel.thread_count(host) == 3 && parallel.thread_count(nil) == 1)
        for place in [host, nil] {
            let seen = Numbers<Int32>([Int32](repeating: 0, count: 1000))
            parallel.parallel_for(place, 1000, { user, index in user?.assumingMemoryBound(to: Int32.self)[Int(index)] += 1 }, seen.base)
            #expect(seen.values.allSatisfy { $0 == 1 })
        }
        parallel.parallel_for(host, 0, { _, _ in Issue.record("there is nothing to do") }, nil)
        parallel.parallel_for(host, 5, nil, nil)
    }

    @Test func random() throws {
        let random = try table(PARE_SERVICE_RANDOM, pare_random_service.self)
        let whole = floats(0, 0, 0, 0, 0, 0, 0, 0), part = floats(0, 0, 0)
        for draw in [random.uniform_f32, random.normal_f32] {
            draw?(host, 1, 2, 0, 8, whole.base)
            draw?(nil, 1, 2, 3, 3, part.base)
            #expect(part.values == Array(whole.values[3..<6]) && Set(whole.values).count == 8)
            draw?(host, 1, 2, .max - 1, 3, part.base)
            draw?(host, 0, 0, 0, 8, nil)
            draw?(host, 0, 0, 0, .max, part.base)
        }
        #expect(part.values.allSatisfy { $0.isFinite })
        random.bits_u64(host, 1, 2, 0, 4, nil)
    }

    @Test func reading() throws {
        let vector = try table(PARE_SERVICE_VECTOR, pare_vector_service.self)
        let numbers = floats(1, -2, 3, -4, 5, -6)
        let tensor = BorderTensor(numbers.view([2, 3])).keeping()
        #expect(vector.element_count(tensor) == 6 && vector.element_count(nil) == -1)
        let out = floats(0, 0), wide = Numbers<Double>([0, 0])
        #expect(vector.read_f32(host, tensor, 1, 2, out.base, nil) == PARE_OK && out.values == [-2, 3])
        #expect(vector.read_abs_f32(nil, tensor, 3, 2, out.base, nil) == PARE_OK && out.values == [4, 5])
        #expect(vector.read_f64(host, tensor, 4, 2, wide.base, nil) == PARE_OK && wide.values == [5, -6])
        for (first, count) in [(-1, 1), (0, -1), (5, 2), (7, 0), (Int64.max, Int64.max), (Int64.min, 1)] as [(Int64, Int64)] {
            var record = pare_error.empty()
            #expect(vector.read_f32(host, tensor, first, count, out.base, &record) == PARE_E_ARGUMENT, "\(first) \(count)")
            #expect(record.code == PARE_E_ARGUMENT)
        }
        #expect(vector.read_f32(host, nil, 0, 1, out.base, nil) == PARE_E_ARGUMENT)
        #expect(vector.read_f32(host, tensor, 0, 1, nil, nil) == PARE_E_ARGUMENT)
        #expect(vector.read_f64(host, tensor, 6, 0, nil, nil) == PARE_OK)
    }

    @Test func reducing() throws {
        let vector = try table(PARE_SERVICE_VECTOR, pare_vector_service.self)
        let numbers = floats(1, -2, 3, -4, 5, -6)
        let tensor = BorderTensor(numbers.view([2, 3])).keeping()
        let out = floats(0, 0)
        #expect(vector.reduce_f32(host, tensor, 1, PARE_REDUCE_L1, out.base, nil) == PARE_OK && out.values == [6, 15])
        #expect(vector.reduce_f32(nil, tensor, 1, PARE_REDUCE_MAX, out.base, nil) == PARE_OK && out.values == [3, 6])
        for axes in [-1, 3, Int32.max] { #expect(vector.reduce_f32(host, tensor, axes, 1, out.base, nil) == PARE_E_ARGUMENT) }
        for kind in [0, 6, -1] as [Int32] { #expect(vector.reduce_f32(host, tensor, 1, kind, out.base, nil) == PARE_E_ARGUMENT) }
        #expect(vector.reduce_f32(host, tensor, 1, 1, nil, nil) == PARE_E_ARGUMENT)
        #expect(vector.reduce_f32(host, nil, 1, 1, out.base, nil) == PARE_E_ARGUMENT)
        let empty = BorderTensor(numbers.view([0, 3])).keeping()
        #expect(vector.reduce_f32(host, empty, 1, 1, nil, nil) == PARE_OK)
    }

    @Test func ordering() throws {
        let vector = try table(PARE_SERVICE_VECTOR, pare_vector_service.self)
        let order = UnsafeMutablePointer<Int64>.allocate(capacity: 5)
        defer { order.deallocate() }
        let keys = floats(2, -1, 2, .infinity, -0.0)
        #expect(vector.argsort_f32(host, keys.base, 5, order, nil) == PARE_OK)
        #expect((0..<5).map { order[$0] } == [1, 4, 0, 2, 3], "equal keys stay in order")
        #expect(vector.argsort_f32(nil, nil, 0, nil, nil) == PARE_OK)
        #expect(vector.argsort_f32(host, nil, 1, order, nil) == PARE_E_ARGUMENT)
        #expect(vector.argsort_f32(host, keys.base, -1, order, nil) == PARE_E_ARGUMENT)
        #expect(vector.argsort_f32(host, floats(1, .nan).base, 2, order, nil) == PARE_E_NONFINITE)
    }

    @Test func messages() throws {
        let log = try table(PARE_SERVICE_LOG, pare_log_service.self)
        log.message(host, PARE_LOG_DEBUG, "too fine")
        log.message(host, PARE_LOG_INFO, "one")
        log.message(host, PARE_LOG_WARNING, "two")
        log.message(host, PARE_LOG_WARNING, nil)
        log.message(nil, PARE_LOG_WARNING, "nobody listens")
        #expect(context.drainMessages() == ["one", "two"])
        #expect(context.drainMessages().isEmpty)
    }

    @Test func otherPlugins() throws {
        let inner = FixturePlugin(.metric, "inner", options: [rawOption("x", PARE_OPTION_INT, standard: "1")])
        try context.registry.register(FixtureModule("org.example.inner", [inner]).pointer, path: "", host: context.host)
        let registry = try table(PARE_SERVICE_REGISTRY, pare_registry_service.self)
        var made: UnsafeMutablePointer<pare_instance>?
        let pairs: [UnsafePointer<CChar>?] = [c("x"), c("4"), nil]
        #expect(registry.create(host, PARE_KIND_METRIC, "inner", pairs, &made, nil) == PARE_OK)
        #expect(inner.created.map(\.integer) == [4] && inner.instances == 1)
        made?.pointee.destroy(made)
        #expect(inner.instances == 0)
        made = nil
        for (kind, id, status) in [
            (PARE_KIND_METRIC, "nobody", PARE_E_NOT_FOUND), ("pare.telepathy/1", "inner", PARE_E_NOT_FOUND),
            (PARE_KIND_CRITERION, "inner", PARE_E_NOT_FOUND),
        ] {
            #expect(registry.create(host, kind, id, nil, &made, nil) == status && made == nil)
        }
        #expect(registry.create(host, PARE_KIND_METRIC, "inner", [c("y"), c("4"), nil], &made, nil) == PARE_E_OPTION)
        #expect(registry.create(nil, PARE_KIND_METRIC, "inner", nil, &made, nil) == PARE_E_ARGUMENT)
        #expect(registry.create(host, nil, "inner", nil, &made, nil) == PARE_E_ARGUMENT)
        #expect(registry.create(host, PARE_KIND_METRIC, nil, nil, &made, nil) == PARE_E_ARGUMENT)
        #expect(registry.create(host, PARE_KIND_METRIC, "inner", nil, nil, nil) == PARE_E_ARGUMENT)
    }
}

extension BorderTensor {
    /// The C struct, alive as long as the process.
    fileprivate func keeping() -> UnsafePointer<pare_tensor> {
        Kept.keep(self)
        return UnsafePointer(pointer)
    }
}
