// The namespaces of a controller (controller.hpp): which there are, and what they are announced as.
#include "core/device/nvme/controller.hpp"

#include <algorithm>

namespace twofold::nvme {

FixedVector<NamespaceDevice*, namespaces_max> Controller::namespaces() {
    sync::SpinLockGuard const guard(m_lock, sync::save_interrupts);
    return m_spaces;
}

NamespaceDevice* Controller::find(u32 number) {
    sync::SpinLockGuard const guard(m_lock, sync::save_interrupts);
    auto const found = std::ranges::find_if(
        m_spaces, [&](NamespaceDevice const* each) { return each->number() == number; });
    return found != m_spaces.end() ? *found : nullptr;
}

block::Geometry Controller::geometry_for(NamespaceFacts const& facts) {
    sync::SpinLockGuard const guard(m_lock, sync::save_interrupts);
    return geometry_of(m_facts, facts, m_limits, m_cache);
}

/// Those that are active; by their numbers alone where the controller is too old for a list.
Result<NamespaceList> Controller::list_namespaces() {
    struct List {
        u32 numbers[namespace_list_max];
    };
    auto const page = TRY((memory::Box<List, memory::KernelHeap>::create(m_environment.heap)));
    u32 const most = [this] {
        sync::SpinLockGuard const guard(m_lock, sync::save_interrupts);
        return m_facts.namespaces;
    }();
    auto const listed = identify(
        IdentifyKind::active_namespaces, 0, std::as_writable_bytes(std::span(page->numbers)));
    if (listed) {
        return parse_namespace_list(std::span<u32 const, namespace_list_max>(page->numbers), most);
    }
    if (listed.error() != Error::invalid_argument) {
        return listed.error();
    }
    NamespaceList list;
    for (u32 number = 1; number <= most && !list.full(); ++number) {
        list.push_back(number).value(); // it is not full
    }
    return list;
}

/// What the controller says of a namespace.
Result<Controller::NamespacePage> Controller::identify_namespace(u32 number) {
    auto page = TRY(NamespacePage::create(m_environment.heap));
    TRY(identify(
        IdentifyKind::name_space, number, std::as_writable_bytes(std::span(page.operator->(), 1))));
    return page;
}

/// One that cannot be used is left out.
void Controller::add_namespace(u32 number) {
    auto const said = identify_namespace(number);
    if (!said) {
        return;
    }
    auto const facts = parse_namespace(*said.value());
    if (!facts || geometry_for(facts.value()).sectors_max == 0) {
        return;
    }
    auto const opened = NamespaceDevice::open(
        *this, m_environment.heap, number, m_number, facts.value(), geometry_for(facts.value()));
    if (!opened) {
        return;
    }
    {
        sync::SpinLockGuard const guard(m_lock, sync::save_interrupts);
        m_spaces.push_back(opened.value()).value(); // a list is not longer
    }
    announce(*opened.value());
}

/// Where another controller's goes by the name, the controller gets another number, once.
void Controller::announce(NamespaceDevice& device) {
    constexpr u32 controllers_max = 64;
    if (m_environment.disks == nullptr) {
        return;
    }
    for (u32 attempt = 0; attempt < controllers_max; ++attempt) {
        auto const added = m_environment.disks->add(device);
        if (added) {
            m_is_named = true;
            device.note_announced();
            return;
        }
        if (added.error() != Error::already_exists || m_is_named) {
            return; // it can be used by who knows the controller
        }
        device.rename(++m_number);
    }
}

void Controller::withdraw(NamespaceDevice& device) {
    device.forsake();
    {
        sync::SpinLockGuard const guard(m_lock, sync::save_interrupts);
        m_spaces.erase(static_cast<usize>(std::ranges::find(m_spaces, &device) - m_spaces.begin()));
    }
    if (device.is_announced()) {
        m_environment.disks->remove(device);
    }
    device.close();
}

/// Adds those that are new, withdraws those that are gone, and tells of those that have changed.
void Controller::look_for_namespaces() {
    auto const list = list_namespaces();
    if (!list) {
        return; // what is known stays; if the controller has failed, that shows elsewhere
    }
    for (NamespaceDevice* const device : namespaces()) {
        bool const is_listed =
            std::ranges::find(list.value(), device->number()) != list.value().end();
        if (!is_listed) {
            withdraw(*device);
            continue;
        }
        auto const said = identify_namespace(device->number());
        if (!said) {
            continue; // it is there, and as it was for all that is known
        }
        auto const facts = parse_namespace(*said.value());
        if (facts && facts.value() == device->facts()) {
            continue;
        }
        bool const is_same_kind = facts && facts.value().block_log2 == device->facts().block_log2;
        if (is_same_kind) {
            device->change(facts.value(), geometry_for(facts.value()));
            if (device->is_announced()) {
                m_environment.disks->changed(*device);
            }
        } else {
            withdraw(*device);
        }
    }
    for (u32 const number : list.value()) {
        if (find(number) == nullptr) {
            add_namespace(number);
        }
    }
}

} // namespace twofold::nvme
