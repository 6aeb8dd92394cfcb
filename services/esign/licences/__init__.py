"""Licences (电子证照) as SD-JWT VC: issued, changed, presented."""
