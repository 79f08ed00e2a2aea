! A Fortran program takes learned time steps: as step.c.
!
!     step_fortran step.pt2 NODES COMPONENTS STEPS state.bin result.bin
program step
  use, intrinsic :: iso_c_binding
  implicit none
  interface
    function physgt_load(path) bind(c) result(step)
      import :: c_char, c_ptr
      character(kind=c_char), intent(in) :: path(*)
      type(c_ptr) :: step
    end function
    function physgt_step(step, nodes, components, state, forcings, forcing) bind(c) result(failed)
      import :: c_ptr, c_int, c_int64_t, c_float
      type(c_ptr), value :: step
      integer(c_int64_t), value :: nodes, components, forcings
      real(c_float), intent(inout) :: state(*)
      real(c_float), intent(in) :: forcing(*)
      integer(c_int) :: failed
    end function
    subroutine physgt_free(step) bind(c)
      import :: c_ptr
      type(c_ptr), value :: step
    end subroutine
  end interface
  character(len=4096) :: arguments(6)
  integer(c_int64_t) :: nodes, components, steps, i
  real(c_float), allocatable :: state(:, :)
  real(c_float) :: no_forcing(1) = 0
  type(c_ptr) :: model
  integer :: unit

  do i = 1, 6
    call get_command_argument(int(i), arguments(i))
  end do
  read (arguments(2:4), *) nodes, components, steps
  allocate (state(components, nodes))
  open (newunit=unit, file=trim(arguments(5)), access="stream", status="old", action="read")
  read (unit) state
  close (unit)
  model = physgt_load(trim(arguments(1)) // c_null_char)
  if (.not. c_associated(model)) error stop "the package can't be loaded"
  do i = 1, steps
    if (physgt_step(model, nodes, components, state, 0_c_int64_t, no_forcing) /= 0) error stop "the step failed"
  end do
  open (newunit=unit, file=trim(arguments(6)), access="stream", status="replace", action="write")
  write (unit) state
  close (unit)
  call physgt_free(model)
end program
