// The page-table engine: one tree of tables, whatever its depth and however it is reached.
//
// Codec says what entries mean (hal::Mmu is the default; five levels are another codec), Access how
// tables are reached (table_access.hpp), a SharedFrames where they come from. The engine owns the
// tables below its root and knows nothing of ranges, faults or owners of pages.
//
// Invariants: a linked table other than the root holds at least one present entry, except where the
// root's own entries are fixed (Root::fixed: they are shared with other spaces, so that neither
// they nor the tables that they lead to come and go); no leaf is writable and executable; a failed
// operation leaves the tables as they were, but for leaves that were divided.
//
// An entry that was present is noted in the caller's FlushBatch when it changes; a table is given
// back through it, after the flush. Tables come from the caller's FrameStock: one that is prepared
// lets an operation fail with `busy` before it changes anything, and begin again with what it
// lacked. How many entries of a table are present is counted in the word that SharedFrames keeps
// for its frame, so that nobody has to look for the last one. One user at a time; processors walk
// meanwhile.
//
// Source of the idea: one engine over tiny codecs, NOVA's page tables (hip, src/ptab.cpp) and
// Asterinas OSTD; written anew.
#pragma once

#include "core/memory/space/page_table_edit.hpp"
#include "core/memory/space/page_table_walk.hpp"
