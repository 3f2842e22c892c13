// lamp
