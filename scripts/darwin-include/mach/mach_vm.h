/* For zigs that lack Apple's header of this name: the one function of it that is called,
 * by prometheus/client_golang. Searched after the system's folders, so theirs comes first. */
#ifndef BLUERELAY_MACH_VM_H
#define BLUERELAY_MACH_VM_H

#include <mach/mach_types.h>
#include <mach/vm_region.h>

extern kern_return_t mach_vm_region(vm_map_t target, mach_vm_address_t *address, mach_vm_size_t *size,
	vm_region_flavor_t flavor, vm_region_info_t info, mach_msg_type_number_t *count, mach_port_t *object);

#endif
