// The part of QEMU's plugin interface that is used here, declared anew: the emulator defines these
// functions and looks for the two symbols at the end (interface version 1, QEMU 7.2,
// docs/devel/tcg-plugins.rst). Opaque types stay opaque.
#pragma once

#include "core/base/integers.hpp"

extern "C" {

struct qemu_plugin_tb;
struct qemu_plugin_insn;

enum qemu_plugin_cb_flags : int { QEMU_PLUGIN_CB_NO_REGS };
enum qemu_plugin_op : int { QEMU_PLUGIN_INLINE_ADD_U64 };

void qemu_plugin_register_vcpu_tb_trans_cb(
    twofold::u64 id, void (*callback)(twofold::u64 id, qemu_plugin_tb* block));
void qemu_plugin_register_atexit_cb(
    twofold::u64 id, void (*callback)(twofold::u64 id, void* data), void* data);
void qemu_plugin_register_vcpu_insn_exec_cb(
    qemu_plugin_insn* instruction,
    void (*callback)(unsigned cpu, void* data),
    qemu_plugin_cb_flags flags,
    void* data);
void qemu_plugin_register_vcpu_insn_exec_inline(
    qemu_plugin_insn* instruction, qemu_plugin_op operation, void* word, twofold::u64 operand);

twofold::usize qemu_plugin_tb_n_insns(qemu_plugin_tb const* block);
qemu_plugin_insn* qemu_plugin_tb_get_insn(qemu_plugin_tb const* block, twofold::usize index);
twofold::u64 qemu_plugin_insn_vaddr(qemu_plugin_insn const* instruction);
void const* qemu_plugin_insn_data(qemu_plugin_insn const* instruction);
twofold::usize qemu_plugin_insn_size(qemu_plugin_insn const* instruction);

/// What the emulator looks for in a plugin.
extern int const qemu_plugin_version;
int qemu_plugin_install(twofold::u64 id, void const* information, int count, char** arguments);
}
