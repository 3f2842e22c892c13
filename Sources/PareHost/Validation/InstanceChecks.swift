import CPare
import CShim
import Glibc
import PareTensor

extension Check {
    /// Making and destroying instances.
    static var instance: [Check] { creation + repetition + optionValues }

    private static var creation: [Check] {
        [
            Check(
                "create-defaults", "An instance with default options can be made and destroyed.", .plugin,
                needs: ["host-accepts", "init-succeeds"]
            ) { subject in
                do {
                    _ = try subject.make([:], TrialHost())
                } catch let error as PareError where error.status == .unsupported {
                    throw Finding.warn("this host lacks something that the plugin needs", found: error.what)
                }
            },
            Check(
                "instance-descriptor", "An instance has its factory's descriptor.", .plugin, needs: ["create-defaults"]
            ) { subject in
                let instance = try subject.make([:], TrialHost())
                let expected = try subject.rawDescriptor()
                guard let found = instance.pointer.pointee.descriptor else { throw Finding.fail("its descriptor is NULL") }
                guard found != expected else { return }
                func texts(_ raw: pare_descriptor) -> [String] { [raw.kind, raw.id, raw.version, raw.summary].map { fromC($0) } }
                func numbers(_ raw: pare_descriptor) -> [UInt32] { [raw.flags, raw.needs, raw.granularities, raw.option_count] }
                guard texts(found.pointee) == texts(expected.pointee), numbers(found.pointee) == numbers(expected.pointee)
                else {
                    throw Finding.fail(
                        "another descriptor than the factory's", found: "\"\(fromC(found.pointee.id))\"",
                        expected: "\"\(fromC(expected.pointee.id))\"")
                }
            },
            Check("instance-table", "The instance's table has the function that the kind is about.", .plugin, needs: ["create-defaults"]) {
                subject in
                let instance = try subject.make([:], TrialHost())
                let (name, there) = Check.mainFunction(instance)
                guard there else { throw Finding.fail("\(name) is NULL", expected: "a function") }
                guard instance.pointer.pointee.destroy != nil else { throw Finding.fail("destroy is NULL") }
            },
            Check(
                "create-unknown-id", "Other ids, also its own with something behind it, are not found.", .plugin,
                needs: ["create-defaults"]
            ) { subject in
                let id = try subject.named().id
                for wrong in [id + "x", id + " ", id + "\n", id + "/1", "", String(id.dropLast()), id.uppercased()] {
                    try Check.refuse(subject, wrong, GuardedRecord())
                }
            },
            Check(
                "error-record", "Errors keep to the caller's record: absent, short and full ones.", .plugin,
                needs: ["create-unknown-id"]
            ) { subject in
                for record in [nil, GuardedRecord(claimed: 8), GuardedRecord(claimed: 300), GuardedRecord()] {
                    try Check.refuse(subject, "no-such-plugin", record)
                }
            },
            Check("extension-unknown", "The instance has no extensions that do not exist.", .plugin, needs: ["create-defaults"]) {
                subject in
                let instance = try subject.make([:], TrialHost())
                guard let get = instance.pointer.pointee.get_extension else { throw Finding.skip("it has no extensions") }
                for id in ["", "pare.nothing/1", "org.example.nothing/1"] {
                    subject.stage("asking for extension \"\(id)\"")
                    guard get(instance.pointer, id) == nil else {
                        throw Finding.fail("an extension that does not exist", found: "one for \"\(id)\"", expected: "NULL")
                    }
                }
            },
        ]
    }

    private static var repetition: [Check] {
        [
            Check(
                "create-leaks", "Instances give all host memory back when they are destroyed.", .plugin,
                needs: ["create-defaults"]
            ) { subject in
                let host = TrialHost()
                for _ in 0..<8 { _ = try subject.make([:], host) }
                try Check.settled(host, "8 instances")
            },
            Check(
                "create-repeated", "A thousand instances come and go without the heap growing.", .plugin,
                needs: ["create-defaults"]
            ) { subject in
                let host = TrialHost()
                try subject.start(host)
                let plugin = try subject.plugin()
                let settings = OptionSamples.required(plugin)
                subject.stage("making and destroying instances over and over")
                var growth: [Int] = []
                for _ in 0..<4 {
                    let before = cshim_heap_in_use()
                    for _ in 0..<250 { _ = try plugin.makeInstance(settings, host: host.pointer) }
                    growth.append(Int(bitPattern: UInt(bitPattern: Int(cshim_heap_in_use())) &- UInt(bitPattern: Int(before))))
                }
                // What is made once and kept shows in the first rounds only.
                guard growth[2] < 250 * 8 || growth[3] < 250 * 8 else {
                    throw Finding.fail(
                        "the heap grows with each instance", found: "\(growth[3] / 250) bytes an instance",
                        expected: "destroy frees everything")
                }
            },
        ]
    }

    private static var optionValues: [Check] {
        [
            Check(
                "options-accepted", "Each option takes the ends of its range, its choices and a value in between.", .plugin,
                needs: ["create-defaults", "schema-round-trip"]
            ) { subject in
                let (host, plugin) = (TrialHost(), try subject.plugin())
                guard !plugin.options.isEmpty else { throw Finding.skip("it has no options") }
                _ = try subject.make([:], host)
                var tried = 0
                for option in plugin.options {
                    for text in OptionSamples.valid(option, seed: subject.seed) {
                        tried += 1
                        do {
                            _ = try subject.make([option.key: text], host)
                        } catch let error as PareError {
                            // Lists and texts have rules that no schema can tell; ranges do not.
                            guard [.string, .intList, .floatList].contains(option.kind) else {
                                throw Finding.warn(
                                    "a value that the schema allows is refused", found: "\(option.key)=\(text): \(error.what)")
                            }
                        }
                    }
                }
                subject.note("\(tried) values")
            }
        ]
    }

    /// The kind's main function by name, and whether it is there.
    private static func mainFunction(_ instance: Instance) -> (String, Bool) {
        switch instance.plugin.kind {
        case .criterion: ("score", instance.table(as: pare_criterion.self).score != nil)
        case .allocator: ("allocate", instance.table(as: pare_allocator.self).allocate != nil)
        case .metric: ("measure", instance.table(as: pare_metric.self).measure != nil)
        case .penalty: ("value", instance.table(as: pare_penalty.self).value != nil)
        case .solver: ("solve", instance.table(as: pare_solver.self).solve != nil)
        case .recipe: ("handle", instance.table(as: pare_recipe.self).handle != nil)
        case .estimator: ("fit", instance.table(as: pare_estimator.self).fit != nil)
        }
    }

    /// Asks for an id that is not there: must be PARE_E_NOT_FOUND, without an instance.
    private static func refuse(_ subject: Subject, _ id: String, _ record: GuardedRecord?) throws {
        let host = TrialHost()
        try subject.start(host)
        let (plugin, factory) = (try subject.plugin(), try subject.targetFactory())
        let storage = OptionStorage(try plugin.values(for: OptionSamples.required(plugin)))
        var made: UnsafeMutablePointer<pare_instance>?
        subject.stage("calling create for \"\(id)\"")
        let status = factory.pointee.create?(
            factory, host.pointer, id, storage.values, UInt32(storage.count), &made, record?.pointer)
        guard let status, status == PARE_E_NOT_FOUND, made == nil else {
            throw Finding.fail(
                "create for \"\(id)\"", found: "status \(status ?? 0)\(made == nil ? "" : " and an instance")",
                expected: "status \(PARE_E_NOT_FOUND), no instance")
        }
        if let problem = record?.problem(status: status), !problem.isEmpty { throw Finding.fail(problem) }
    }

    /// Throws if a host's memory was not given back, or was misused.
    static func settled(_ host: TrialHost, _ after: String) throws {
        if let problem = host.ledger.problems.first { throw Finding.fail("host memory: \(problem)") }
        guard host.ledger.liveBlocks == 0 else {
            throw Finding.fail(
                "host memory is not given back", found: "\(host.ledger.liveBlocks) blocks, \(host.ledger.liveBytes) bytes after \(after)",
                expected: "none")
        }
    }
}
