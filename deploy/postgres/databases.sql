-- One database a service: no service reads another's.
CREATE DATABASE identity;
CREATE DATABASE vault;
CREATE DATABASE catalogue;
CREATE DATABASE exchange;
CREATE DATABASE esign;
